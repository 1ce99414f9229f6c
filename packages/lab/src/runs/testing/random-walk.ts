import { type Algorithm, DivergenceError, type Learner } from "corral/algorithms";
import { defineEnv, type Env } from "corral/envs";
import type { RngState } from "corral/random";
import { z } from "zod";
import { createResolver } from "../resolve.ts";

const config = z.strictObject({
  /** Coordinates of the walk. */
  size: z.int().min(1).default(5),
  /** Standard deviation of one move. */
  stepSize: z.number().positive().default(0.1),
  /** Iteration at which the loss stops being finite; 0 for never. */
  divergeAt: z.int().min(0).default(0),
  /** Milliseconds an iteration waits. */
  pause: z.number().min(0).default(0),
  /** Iteration whose first attempt kills the process; 0 for never. */
  crashAt: z.int().min(0).default(0),
});

/**
 * A learner with all that a real one has to carry through a restart, and no tensors: a position that moves at
 * random, its running mean, a stream that is never split again, and numbers that JSON cannot hold.
 */
export const randomWalk: Algorithm<z.infer<typeof config>> = {
  name: "random-walk",
  description: "Moves at random.",
  source: "none",
  config,
  async create({ config: { size, stepSize, divergeAt, pause, crashAt }, rng }): Promise<Learner> {
    const moves = rng.split("moves");
    const position = new Float32Array(size);
    const mean = new Float64Array(size);
    let iteration = 0;
    let restored = false;
    let extremes = [Number.POSITIVE_INFINITY, -0, Number.NEGATIVE_INFINITY];
    return {
      stepsPerIteration: 8,
      facts: { kind: "walk" },
      async iterate() {
        if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
        if (iteration + 1 === divergeAt) throw new DivergenceError("policy loss", Number.NaN);
        if (iteration + 1 === crashAt && !restored) process.kill(process.pid, "SIGKILL");
        iteration++;
        for (let i = 0; i < size; i++) {
          position[i] += stepSize * moves.normal();
          mean[i] += (position[i] - mean[i]) / iteration;
        }
        extremes = [Math.min(extremes[0], position[0]), extremes[1], Math.max(extremes[2], position[0])];
        return {
          "train/position": position[0],
          "train/mean": mean[0],
          // Tells negative zero from zero.
          "train/sign": Math.sign(1 / extremes[1]),
          "train/range": extremes[2] - extremes[0],
        };
      },
      async evaluate(episodes, stream) {
        let total = 0;
        for (let episode = 0; episode < episodes; episode++) total += position[0] + stream.normal();
        return { "eval/return": total / episodes };
      },
      snapshot: () => ({
        tensors: { position: position.slice(), mean: mean.slice(), counts: Int32Array.of(iteration) },
        json: { moves: moves.state(), extremes },
      }),
      restore({ tensors, json }) {
        const stored = json as { moves: RngState; extremes: number[] };
        position.set(tensors.position);
        mean.set(tensors.mean);
        iteration = tensors.counts[0];
        moves.restore(stored.moves);
        extremes = stored.extremes;
        restored = true;
      },
      parameters: () => ({ position: { shape: [size], data: position } }),
      exportPolicy: () => new Uint8Array(position.slice().buffer),
      async dispose() {},
    };
  },
};

/** An environment that is only looked at. */
export const standstill = defineEnv({
  name: "standstill",
  description: "Nothing happens.",
  config: z.strictObject({ horizon: z.int().min(1).default(5) }),
  create: ({ horizon }): Env => ({
    spec: {
      id: "standstill",
      version: 1,
      agents: 1,
      observationSize: 1,
      stateSize: 1,
      actions: [{ kind: "discrete", n: 1 }],
      horizon,
      rewards: "team",
      sharedObservation: true,
    },
    reset() {},
    step: () => ({ reward: 0, terminated: false, truncated: true }),
    observe() {},
    state() {},
    snapshot: () => null,
    restore() {},
    scene: () => ({ width: 1, height: 1, shapes: [] }),
  }),
});

export const resolve = createResolver({
  algorithms: { "random-walk": randomWalk, "other-walk": { ...randomWalk, name: "other-walk" } },
  environments: { standstill },
});
