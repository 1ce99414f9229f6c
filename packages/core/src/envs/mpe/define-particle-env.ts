import { defineEnv, type EnvDefinition } from "../definition.ts";
import { createParticleEnv } from "./particle-env.ts";
import type { ParticleGame } from "./particle-game.ts";
import { particleGolden } from "./particle-golden.ts";
import type { ParticleConfig } from "./settings.ts";

/** The definition that makes environments of a game, replays its recordings, and goes by its name in the public suite too. */
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
