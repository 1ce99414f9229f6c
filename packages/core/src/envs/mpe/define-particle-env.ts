import type { z } from "zod";
import { defineEnv, type EnvDefinition } from "../definition.ts";
import { createParticleEnv } from "./particle-env.ts";
import { particleGolden } from "./particle-golden.ts";
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

export function defineParticleEnv<Config extends ParticleConfig>(
  game: ParticleGame<Config>,
): EnvDefinition<Config> {
  const { name, suiteVersion, description, config, create } = game;
  return defineEnv({
    name,
    aliases: [`${suiteName(name)}_v${suiteVersion}`],
    description,
    config,
    create: (settings) => createParticleEnv(`${name}-v${suiteVersion}`, create(settings), settings),
    golden: particleGolden({ ...game, suiteName: suiteName(name) }),
  });
}

const suiteName = (name: string): string => name.replace("mpe/", "simple_").replaceAll("-", "_");
