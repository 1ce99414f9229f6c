import type { z } from "zod";
import type { Scenario } from "./scenario.ts";
import type { ParticleConfig } from "./settings.ts";

/** One particle environment. */
export interface ParticleGame<Config extends ParticleConfig> {
  /** For example `"mpe/world-comm"`, which the public suite calls `simple_world_comm_v3`. */
  readonly name: `mpe/${string}`;
  /** Version of the public suite. */
  readonly suiteVersion: number;
  readonly description: string;
  readonly config: z.ZodType<Config>;
  /** What settings are called in the public suite, where they have a name of their own there. */
  readonly suiteSettings: Readonly<Record<string, string>>;
  create(config: Config): Scenario;
}
