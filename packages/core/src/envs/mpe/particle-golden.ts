import { z } from "zod";
import { InputError, unknownName } from "../../errors.ts";
import { createRng } from "../../random/index.ts";
import { parseConfig } from "../config.ts";
import { createComparison, type GoldenSchema, parseRecording } from "../golden.ts";
import { createParticleEnv, type Moment, type ParticleEnv } from "./particle-env.ts";
import type { ParticleGame } from "./particle-game.ts";
import type { ParticleConfig } from "./settings.ts";

const schema = "mpe-golden/1";
/** Contacts in a crowd amplify rounding, to 1e-11 within an episode. */
const tolerance = 1e-9;

const numbers = z.array(z.number());
const pair = z.tuple([z.number(), z.number()]);
const moving = z.object({ pos: pair, vel: pair, comm: numbers });
const format = z.object({
  scenario: z.string(),
  continuous: z.boolean(),
  params: z.record(z.string(), z.union([z.number(), z.boolean()])),
  agentNames: z.array(z.string()),
  actionSizes: z.array(z.int()),
  obsSizes: z.array(z.int()),
  episodes: z.array(
    z.object({
      kind: z.string(),
      init: z.object({
        agents: z.array(moving),
        landmarks: z.array(z.object({ pos: pair, size: z.number(), collide: z.boolean() })),
        private: z.object({
          goalLandmark: z.union([z.int(), z.array(z.int())]).optional(),
          keyLandmark: z.int().optional(),
        }),
        obs: z.array(numbers),
      }),
      steps: z.array(
        z.object({
          actions: z.array(z.union([z.number(), numbers])),
          obs: z.array(numbers),
          rewards: numbers,
          agents: z.array(moving),
          terminated: z.boolean(),
          truncated: z.boolean(),
        }),
      ),
    }),
  ),
});

type Recording = z.output<typeof format>;
type RecordedEpisode = Recording["episodes"][number];

/** Recordings of the reference implementation, `mpe-golden/1`: observations, rewards and states in double precision. */
export function particleGolden<Config extends ParticleConfig>(
  game: ParticleGame<Config> & { readonly suiteName: string },
): GoldenSchema {
  return {
    schema,
    replay(json) {
      const recording = parseRecording(schema, format, json);
      const { scenario, continuous, episodes } = recording;
      if (scenario !== game.suiteName) {
        throw new InputError(`${game.name}: recording is of ${scenario}, expected ${game.suiteName}`);
      }
      const config = parseConfig(game.name, game.config, {
        ...settingsOf(game, recording.params),
        actions: continuous ? "continuous" : "discrete",
        rewards: "individual",
      });
      const env = createParticleEnv(game.name, game.create(config), config);
      const sizes = env.spec.actions.map((space) => (space.kind === "discrete" ? space.n : space.size));
      const comparison = createComparison({
        "action sizes": 0,
        "observation sizes": 0,
        landmarks: 0,
        state: tolerance,
        observation: tolerance,
        reward: tolerance,
        terminated: 0,
        truncated: 0,
      });
      let steps = 0;
      for (const [e, episode] of episodes.entries()) {
        const name = `${e} (${episode.kind})`;
        const compare = (
          quantity: string,
          replayed: ArrayLike<number>,
          recorded: ArrayLike<number>,
          t: number,
        ) => comparison.compare(quantity, replayed, recorded, name, t);
        const compareMoment = (agents: RecordedEpisode["init"]["agents"], obs: number[][], t: number) => {
          compare(
            "state",
            stateOf(env),
            agents.flatMap(({ pos, vel, comm }) => [...pos, ...vel, ...comm]),
            t,
          );
          compare("observation", env.views, obs.flat(), t);
        };
        compare("action sizes", sizes, recording.actionSizes, 0);
        compare("observation sizes", env.spec.observationSizes ?? [], recording.obsSizes, 0);
        compare("landmarks", landmarksOf(env), recordedLandmarks(episode), 0);
        env.reset(createRng(0));
        env.load(momentOf(episode));
        compareMoment(episode.init.agents, episode.init.obs, 0);
        for (const [t, step] of episode.steps.entries()) {
          const { rewards, terminated, truncated } = env.step(step.actions.flat());
          compare("reward", rewards ?? [], step.rewards, t);
          compare("terminated", [terminated ? 1 : 0], [step.terminated ? 1 : 0], t);
          compare("truncated", [truncated ? 1 : 0], [step.truncated ? 1 : 0], t);
          compareMoment(step.agents, step.obs, t);
        }
        steps += episode.steps.length;
      }
      return { schema, episodes: episodes.length, steps, deviations: comparison.deviations() };
    },
  };
}

/** The suite's parameters as settings. */
function settingsOf<Config extends ParticleConfig>(
  { name, suiteSettings }: ParticleGame<Config>,
  params: Recording["params"],
): Record<string, unknown> {
  const names: Readonly<Record<string, string>> = { max_cycles: "horizon", ...suiteSettings };
  return Object.fromEntries(
    Object.entries(params).map(([param, value]) => {
      if (!Object.hasOwn(names, param)) {
        throw unknownName(`parameter of recorded ${name}`, param, Object.keys(names));
      }
      return [names[param], value];
    }),
  );
}

function momentOf({ init }: RecordedEpisode): Moment {
  const { agents, landmarks } = init;
  const { goalLandmark = [], keyLandmark = [] } = init.private;
  const bodies = [...agents, ...landmarks];
  return {
    x: bodies.map(({ pos }) => pos[0]),
    y: bodies.map(({ pos }) => pos[1]),
    vx: agents.map(({ vel }) => vel[0]),
    vy: agents.map(({ vel }) => vel[1]),
    messages: agents.flatMap(({ comm }) => comm),
    secrets: [goalLandmark, keyLandmark].flat(),
  };
}

/** Position, velocity and message of each agent in turn. */
function stateOf({ world }: ParticleEnv): number[] {
  const { agents, words, x, y, vx, vy, messages } = world;
  return Array.from({ length: agents }, (_, i) => [
    ...[x[i], y[i], vx[i], vy[i]],
    ...messages.subarray(i * words, (i + 1) * words),
  ]).flat();
}

/** Size of each landmark, and 1 where it collides. */
const landmarksOf = ({ world }: ParticleEnv): number[] =>
  world.bodies.slice(world.agents).flatMap(({ size, collides }) => [size, collides ? 1 : 0]);
const recordedLandmarks = ({ init }: RecordedEpisode): number[] =>
  init.landmarks.flatMap(({ size, collide }) => [size, collide ? 1 : 0]);
