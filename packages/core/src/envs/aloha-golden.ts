import { z } from "zod";
import { InputError } from "../errors.ts";
import { createRng } from "../random/index.ts";
import { alohaConfig, alohaNeighbours, createAloha } from "./aloha.ts";
import { createComparison, type GoldenSchema, parseRecording } from "./golden.ts";

const schema = "aloha-trajectories/v1";
const bits = z.array(z.union([z.literal(0), z.literal(1)]));
const format = z.object({
  neighbours: z.array(z.array(z.int())),
  collisionPenalty: z.number(),
  successReward: z.number(),
  arrivalProbability: z.number(),
  episodes: z.array(
    z.object({
      name: z.string(),
      episodeLimit: z.int().min(1),
      maxBacklog: z.int().min(1),
      nAgents: z.int().min(1),
      initialBacklogs: z.array(z.int().min(0)),
      episodeReturn: z.number(),
      steps: z.array(
        z.object({
          actions: bits,
          arrivals: bits,
          reward: z.number(),
          backlogs: z.array(z.number()),
          obs: z.array(z.array(z.number())),
          done: z.boolean(),
          transmitted: z.int().min(0),
        }),
      ),
    }),
  ),
});

/** Recordings of Aloha with the arrivals drawn, `aloha-trajectories/v1`. */
export const alohaGolden: GoldenSchema = {
  schema,
  replay(recording) {
    const { neighbours, collisionPenalty, successReward, arrivalProbability, episodes } = parseRecording(
      schema,
      format,
      recording,
    );
    const grid = gridOf(neighbours);
    const comparison = createComparison({
      observation: 0,
      state: 0,
      done: 0,
      transmitted: 0,
      reward: 1e-9,
      return: 1e-9,
    });
    let steps = 0;
    for (const { name, episodeLimit, maxBacklog, nAgents, initialBacklogs, ...recorded } of episodes) {
      expectLength(name, "neighbours", neighbours, nAgents);
      expectLength(name, "initialBacklogs", initialBacklogs, nAgents);
      const env = createAloha(
        alohaConfig.parse({
          ...grid,
          horizon: episodeLimit,
          maxBacklog,
          arrivalProbability,
          successReward,
          collisionPenalty: -collisionPenalty,
        }),
      );
      env.reset(createRng(0));
      env.restore({ ...(env.snapshot() as object), backlogs: initialBacklogs });
      const seen = new Float32Array(nAgents);
      let total = 0;
      recorded.steps.forEach((step, t) => {
        expectLength(`${name}, step ${t}`, "arrivals", step.arrivals, nAgents);
        const outcome = env.stepWith(step.actions, step.arrivals);
        total += outcome.reward;
        comparison.compare("reward", [outcome.reward], [step.reward], name, t);
        env.observe(seen, 0);
        comparison.compare("observation", seen, step.obs.flat(), name, t);
        env.state(seen, 0);
        comparison.compare("state", seen, step.backlogs, name, t);
        comparison.compare("done", [outcome.truncated ? 1 : 0], [step.done ? 1 : 0], name, t);
        comparison.compare("transmitted", [env.transmitted], [step.transmitted], name, t);
      });
      comparison.compare("return", [total], [recorded.episodeReturn], name, recorded.steps.length - 1);
      steps += recorded.steps.length;
    }
    return { schema, episodes: episodes.length, steps, deviations: comparison.deviations() };
  },
};

/** The grid that has these neighbours. */
function gridOf(neighbours: readonly (readonly number[])[]) {
  const agents = neighbours.length;
  const wanted = JSON.stringify(neighbours.map((near) => [...near].sort((a, b) => a - b)));
  for (let rows = 1; rows <= agents; rows++) {
    if (agents % rows !== 0) continue;
    for (const wrapEdge of [true, false]) {
      const grid = { rows, columns: agents / rows, wrapEdge };
      if (JSON.stringify(alohaNeighbours(grid)) === wanted) return grid;
    }
  }
  throw new InputError(`${schema}: neighbours: expected those of a grid of ${agents} agents`);
}

function expectLength(where: string, what: string, array: readonly unknown[], agents: number): void {
  if (array.length !== agents) {
    throw new InputError(`${schema}: ${where}: ${what} has ${array.length} entries, expected ${agents}`);
  }
}
