import { describe, expect, test } from "vitest";
import { z } from "zod";
import { configureEnv, type EnvFactory, environments } from "../envs/index.ts";
import { InputError } from "../errors.ts";
import { createRng } from "../random/index.ts";
import { NonFiniteError, variable } from "../tensor/index.ts";
import { type Algorithm, DivergenceError, type Learner } from "../training/algorithm.ts";
import type { Exploration, JointPolicy } from "../training/joint-policy.ts";
import {
  type OffPolicyPlan,
  offPolicyLearner,
  offPolicySettings,
  type UpdateMoment,
} from "../training/off-policy.ts";
import { expectToResume, iterate, stateOf } from "../training/testing/resumed-learners.ts";
import { unevenGame } from "../training/testing/small-games.ts";
import { iql } from "./iql.ts";
import { qmix } from "./qmix.ts";
import { qtran } from "./qtran.ts";
import { vdn } from "./vdn.ts";

const topk = configureEnv(environments.topk, { agents: 3, k: 1 }).factory;

// ── The loop, with an algorithm that only takes notes ──────────────────────────────────────────────────────────────

const schema = z.strictObject(offPolicySettings);

interface Notes {
  readonly plan: OffPolicyPlan;
  readonly updates: (UpdateMoment & { readonly rewards: number[]; readonly target: number })[];
  readonly explorations: (Exploration | undefined)[];
  /** What the training policy remembered when it chose, `[B]` each. */
  readonly remembered: number[][];
  readonly online: { readonly values: Float32Array };
  fails: boolean;
}

/** A learner whose one parameter counts its updates, whose memory counts steps, and whose agents always play 0. */
async function noting(
  env: EnvFactory,
  settings: z.input<typeof schema>,
  { hasMemory = false, totalSteps = 1000 } = {},
): Promise<{ learner: Learner; notes: Notes }> {
  const online = variable("online", "float32", [1]);
  const target = variable("target", "float32", [1]);
  const notes = { updates: [], explorations: [], remembered: [], online, fails: false } as unknown as {
    -readonly [K in keyof Notes]: Notes[K];
  };
  const context = { env, rng: createRng(1), totalSteps };
  const learner = await offPolicyLearner("note", context, schema.parse(settings), hasMemory, async (plan) => {
    notes.plan = plan;
    let policies = 0;
    return {
      async createPolicy(size): Promise<JointPolicy> {
        const trains = policies++ === 0;
        const { agents, observationSize } = plan.batch.spec;
        const memory = { steps: new Float32Array(size) };
        return {
          observations: new Float32Array(size * agents * observationSize),
          available: plan.shape.masked ? new Float32Array(size * agents * plan.shape.actions) : undefined,
          actions: new Int32Array(size * agents),
          memory,
          async choose(exploration) {
            if (trains) {
              notes.explorations.push(exploration);
              notes.remembered.push([...memory.steps]);
            }
            for (let b = 0; b < size; b++) memory.steps[b]++;
          },
          async dispose() {},
        };
      },
      async update(moment) {
        if (notes.fails) throw new NonFiniteError("note: update", "loss", Number.NaN);
        notes.updates.push({
          ...moment,
          rewards: [...plan.segments.rewards],
          target: target.values[0] as number,
        });
        (online.values as Float32Array)[0]++;
        return { "train/loss": notes.updates.length };
      },
      targets: [{ target, online }],
      variables: [online, target],
      parameters: [],
      facts: { noted: true },
      exportPolicy: () => new Uint8Array(),
      async dispose() {},
    };
  });
  return { learner, notes };
}

describe("the loop", () => {
  test("collects whole episodes, then updates, and reports an iteration of several", async () => {
    const { learner, notes } = await noting(topk, { environments: 4, batchSize: 8, cycles: 5, updates: 2 });
    expect(learner.stepsPerIteration).toBe(20);
    expect(learner.facts).toEqual({ noted: true, replayUnit: "transition" });
    const [first, second] = await iterate(learner, 2);
    // The first update comes once 8 transitions are stored, after the second rollout of 4.
    expect(notes.updates.map(({ steps }) => steps)).toEqual(
      [8, 12, 16, 20, 24, 28, 32, 36, 40].flatMap((steps) => [steps, steps]),
    );
    expect(first).toMatchObject({
      "train/updates": 8,
      "train/loss": 4.5,
      "train/return": -1,
      "train/success": 0,
    });
    expect(second).toMatchObject({ "train/updates": 10, "train/loss": 13.5 });
    expect(first["train/epsilon"]).toBe(1);
    expect(second["train/epsilon"]).toBeCloseTo(1 - (0.95 * 20) / 50_000, 12);
  });

  test("says nothing of updates that were not made", async () => {
    const { learner } = await noting(topk, { batchSize: 32, cycles: 5 });
    const [metrics] = await iterate(learner, 1);
    expect(metrics["train/updates"]).toBe(0);
    expect(metrics).not.toHaveProperty("train/loss");
  });

  test("rollouts are an episode long unless told otherwise, and start learning when told", async () => {
    const whole = await noting(unevenGame, { cycles: 3 });
    expect(whole.learner.stepsPerIteration).toBe(12);
    const settings = { rolloutSteps: 5, environments: 2, cycles: 2, batchSize: 4, learningStarts: 35 };
    const { learner, notes } = await noting(unevenGame, settings);
    expect(learner.stepsPerIteration).toBe(20);
    await iterate(learner, 3);
    expect(notes.updates.map(({ steps }) => steps)).toEqual([40, 50, 60]);
  });

  test("explores by the steps taken so far, from one stream", async () => {
    const settings = { environments: 2, cycles: 2, epsilonSteps: 8, epsilonStart: 0.9, epsilonEnd: 0.1 };
    const { learner, notes } = await noting(unevenGame, settings);
    await iterate(learner, 1);
    const found = notes.explorations.map((exploration) => exploration!.epsilon);
    for (const [k, epsilon] of [0.9, 0.7, 0.5, 0.3, 0.1, 0.1, 0.1, 0.1].entries()) {
      expect(found[k]).toBeCloseTo(epsilon, 12);
    }
    expect(new Set(notes.explorations.map((exploration) => exploration!.rng)).size).toBe(1);
  });

  test("memory is that of an episode's beginning where one just ended, and lasts otherwise", async () => {
    const { learner, notes } = await noting(unevenGame, { environments: 3, cycles: 6 }, { hasMemory: true });
    await iterate(learner, 1);
    // Episodes last one to four steps: each copy counts from 0 again and again, never above 3.
    const counts = [0, 1, 2].map((b) => notes.remembered.map((row) => row[b]));
    for (const count of counts) {
      expect(count[0]).toBe(0);
      for (const [t, value] of count.entries())
        if (t > 0 && value !== 0) expect(value).toBe(count[t - 1] + 1);
      expect(Math.max(...count)).toBeLessThanOrEqual(3);
    }
    expect(new Set(counts.flat()).size).toBe(4);
  });

  test("the target is replaced after so many episodes", async () => {
    const { learner, notes } = await noting(topk, { batchSize: 1, cycles: 10, targetInterval: 4 });
    await iterate(learner, 1);
    // Every update counts the parameter up by one; the copy follows the update of the fourth, eighth, ... episode.
    expect(notes.updates.map(({ target }) => target)).toEqual([0, 0, 0, 0, 4, 4, 4, 4, 8, 8]);
  });

  test("or moves a share of the way after each update", async () => {
    const { learner, notes } = await noting(topk, {
      batchSize: 1,
      cycles: 4,
      targetRate: 0.5,
      targetInterval: 1,
    });
    await iterate(learner, 1);
    expect(notes.updates.map(({ target }) => target)).toEqual([0, 0.5, 1.25, 2.125]);
  });

  test("the step size stays for half of the run, then falls in a line", async () => {
    const settings = { batchSize: 1, cycles: 10, learningRate: 0.4, finalLearningRate: 0.2 };
    const { learner, notes } = await noting(topk, settings, { totalSteps: 10 });
    await iterate(learner, 1);
    for (const [k, rate] of [0.4, 0.4, 0.4, 0.4, 0.4, 0.36, 0.32, 0.28, 0.24, 0.2].entries()) {
      expect(notes.updates[k].learningRate).toBeCloseTo(rate, 12);
    }
    const constant = await noting(topk, { batchSize: 1, cycles: 10, learningRate: 0.4 }, { totalSteps: 10 });
    await iterate(constant.learner, 1);
    expect(new Set(constant.notes.updates.map(({ learningRate }) => learningRate))).toEqual(new Set([0.4]));
  });

  test("drawn rewards are standardised, stored ones are not", async () => {
    const settings = { environments: 4, batchSize: 16, cycles: 12 };
    const [raw, standardised] = await Promise.all(
      [false, true].map((standardiseRewards) => noting(unevenGame, { ...settings, standardiseRewards })),
    );
    await iterate(raw.learner, 1);
    await iterate(standardised.learner, 1);
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const [before, after] = [raw, standardised].map(({ notes }) => notes.updates[0].rewards);
    const deviation = Math.sqrt((mean(before.map((r) => (r - mean(before)) ** 2)) * 16) / 15);
    for (const [k, reward] of before.entries())
      expect(after[k]).toBeCloseTo((reward - mean(before)) / deviation, 4);
    const stored = (learner: Learner) => learner.snapshot().tensors["replay/rewards"];
    expect(stored(standardised.learner)).toEqual(stored(raw.learner));
  });

  test("a loss that is not finite is a divergence", async () => {
    const { learner, notes } = await noting(topk, { batchSize: 1 });
    notes.fails = true;
    await expect(learner.iterate()).rejects.toThrow(new DivergenceError("loss", Number.NaN));
  });
});

describe("what is stored", () => {
  const unitOf = async (settings: z.input<typeof schema>, hasMemory: boolean) => {
    const { learner, notes } = await noting(unevenGame, settings, { hasMemory });
    return [learner.facts.replayUnit, notes.plan.shape.steps, notes.plan.segments.size];
  };

  test("is episodes where agents remember, else transitions, unless told otherwise", async () => {
    expect(await unitOf({ batchSize: 3 }, true)).toEqual(["episode", 4, 3]);
    expect(await unitOf({ batchSize: 3 }, false)).toEqual(["transition", 1, 3]);
    expect(await unitOf({ replayUnit: "episode" }, false)).toEqual(["episode", 4, 32]);
  });

  test("cannot be transitions of agents that remember", async () => {
    await expect(noting(unevenGame, { replayUnit: "transition" }, { hasMemory: true })).rejects.toThrow(
      new InputError(
        "note.replayUnit: agents with a memory learn from whole episodes, got transition, expected episode or auto",
      ),
    );
  });

  test("must hold a batch", async () => {
    await expect(noting(unevenGame, { replayCapacity: 31 })).rejects.toThrow(InputError);
  });
});

// ── Whole learners ─────────────────────────────────────────────────────────────────────────────────────────────────

const small = {
  hidden: 8,
  environments: 3,
  cycles: 3,
  batchSize: 4,
  replayCapacity: 10,
  targetInterval: 5,
  epsilonSteps: 60,
};

const create = (
  algorithm: Algorithm<never>,
  env: EnvFactory,
  settings: object,
  seed: number,
): Promise<Learner> =>
  algorithm.create({
    env,
    config: algorithm.config.parse({ ...small, ...settings }),
    totalSteps: 200,
    rng: createRng(seed),
  });

describe("a learner restored from a snapshot goes on bit for bit", () => {
  // Rollouts of five steps leave copies in the middle of an episode, and the replay overflows.
  const uneven = { rolloutSteps: 5 };
  const plain = { recurrent: false, lastAction: false };
  const methods = { vdn, iql, qmix, qtran };
  const games = { topk, uneven: unevenGame };
  test.each([
    ["vdn", "uneven", uneven],
    ["vdn", "uneven", { ...uneven, ...plain, optimiser: "adam", finalLearningRate: 1e-5 }],
    ["vdn", "topk", { ...plain, fullObs: true }],
    ["iql", "uneven", { ...uneven, standardiseRewards: true, truncationIsTerminal: true }],
    ["qmix", "uneven", { ...uneven, ...plain, replayUnit: "episode", targetRate: 0.1 }],
    ["qtran", "uneven", { ...uneven, sampling: "with-replacement", lastAction: false }],
  ] as const)("%s on %s, %o", async (method, game, settings) => {
    const algorithm: Algorithm<never> = methods[method] as never;
    const env = games[game];
    const metrics = await expectToResume((seed) => create(algorithm, env, settings, seed), 3, 5);
    expect(metrics.at(-1)!["train/updates"]).toBe(3);
  });

  test("from before its first iteration", async () => {
    const learner = await create(vdn as never, unevenGame, uneven, 5);
    const saved = structuredClone(learner.snapshot());
    const expected = await iterate(learner, 3);
    learner.restore(saved);
    expect(await iterate(learner, 3)).toEqual(expected);
    await learner.dispose();
  });

  test("a snapshot of other networks is refused", async () => {
    const learner = await create(vdn as never, unevenGame, uneven, 5);
    const wider = await create(vdn as never, unevenGame, { ...uneven, hidden: 9 }, 5);
    expect(() => learner.restore(wider.snapshot())).toThrow(InputError);
    for (const each of [learner, wider]) await each.dispose();
  });
});

describe("randomness", () => {
  test("equal seeds train equally, other seeds otherwise", async () => {
    const learners = await Promise.all([1, 1, 2].map((seed) => create(vdn as never, unevenGame, {}, seed)));
    const metrics = [];
    for (const learner of learners) metrics.push(await iterate(learner, 3));
    expect(metrics[1]).toEqual(metrics[0]);
    expect(stateOf(learners[1])).toEqual(stateOf(learners[0]));
    expect(metrics[2]).not.toEqual(metrics[0]);
    for (const learner of learners) await learner.dispose();
  });

  test("evaluating changes nothing in training and is repeatable", async () => {
    const [watched, alone] = await Promise.all([0, 1].map(() => create(vdn as never, unevenGame, {}, 4)));
    for (let k = 0; k < 4; k++) {
      // As many copies as training has: the evaluating policy is another one all the same.
      const evaluation = await watched.evaluate(3, createRng(k));
      expect(await watched.evaluate(3, createRng(k))).toEqual(evaluation);
      expect(await watched.iterate()).toEqual(await alone.iterate());
    }
    expect(stateOf(watched)).toEqual(stateOf(alone));
    for (const learner of [watched, alone]) await learner.dispose();
  });
});

describe("facts", () => {
  test.each([
    [{}, "none: each agent acts on its own observations", "episode"],
    [
      { fullObs: true, recurrent: false, lastAction: false },
      "every agent is told all agents' observations before each action",
      "transition",
    ],
  ])("%o", async (settings, communication, replayUnit) => {
    const learner = await create(vdn as never, unevenGame, settings, 1);
    expect(learner.facts).toEqual({
      engine: expect.stringContaining("onnxruntime"),
      communication,
      replayUnit,
    });
    await learner.dispose();
  });
});

test("agents with real vectors for actions are refused", async () => {
  const env: EnvFactory = () => {
    const game = unevenGame();
    const actions = game.spec.actions.map(() => ({ kind: "box", size: 1, low: 0, high: 1 }) as const);
    return { ...game, spec: { ...game.spec, actions }, available: undefined };
  };
  const refusal = new InputError("uneven: needs discrete actions, got a box for agent 0");
  for (const method of [vdn, qtran])
    await expect(create(method as never, env, {}, 1)).rejects.toThrow(refusal);
});

test("presets are settings of their methods", () => {
  for (const algorithm of [iql, vdn, qmix, qtran]) {
    expect(Object.keys(algorithm.presets!)).toEqual([
      "pymarl",
      "epymarl",
      "agpPaper",
      "mpe",
      "mpe-fast",
      "fast",
    ]);
    for (const { config } of Object.values(algorithm.presets!)) algorithm.config.parse(config);
  }
});
