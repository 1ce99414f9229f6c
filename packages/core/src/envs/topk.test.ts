import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createRng } from "../random/index.ts";
import { configureEnv } from "./definition.ts";
import { type TopKRules, topK, topKActions, topKOptimalActions, topKReward } from "./topk.ts";

const plain: TopKRules = { k: 2, penalty: 0, penaltyMode: "perPair", penaltyDistance: 0.1 };
const penalised: TopKRules = { ...plain, penalty: 0.5 };

/** All joint actions of so many agents. */
const jointActions = (agents: number) =>
  Array.from({ length: 2 ** agents }, (_, index) =>
    Array.from({ length: agents }, (_, i) => Math.floor(index / 2 ** i) % 2),
  );

/** The rules once more, from sorted agents and a list of pairs. */
function slowReward(signals: readonly number[], actions: readonly number[], rules: TopKRules): number {
  const agents = signals.map((_, i) => i);
  const best = [...agents].sort((i, j) => signals[j] - signals[i] || i - j).slice(0, rules.k);
  const acting = agents.filter((i) => actions[i] === 1);
  const right = acting.length === best.length && acting.every((i) => best.includes(i));
  const pairs = acting.flatMap((i) => acting.filter((j) => i < j).map((j) => [i, j]));
  const close = pairs.filter(([i, j]) => Math.abs(signals[i] - signals[j]) < rules.penaltyDistance).length;
  return (right ? 1 : -1) - rules.penalty * (rules.penaltyMode === "once" && close > 1 ? 1 : close);
}

/** Mean return and success over episodes in which `act` chooses from all signals, with the return's standard error. */
function simulate(
  overrides: Record<string, unknown>,
  act: (signals: Float32Array, actions: Uint8Array) => void,
  episodes = 50_000,
) {
  const env = configureEnv(topK, overrides).factory();
  const rng = createRng("topk");
  const signals = new Float32Array(env.spec.agents);
  const actions = new Uint8Array(env.spec.agents);
  let [total, squares, successes] = [0, 0, 0];
  for (let episode = 0; episode < episodes; episode++) {
    env.reset(rng);
    env.state(signals, 0);
    act(signals, actions);
    const { reward, success, terminated, truncated } = env.step(actions);
    if (!terminated || truncated) expect.unreachable();
    total += reward;
    squares += reward * reward;
    if (success) successes++;
  }
  const mean = total / episodes;
  const success = successes / episodes;
  return {
    return: mean,
    returnError: Math.sqrt((squares / episodes - mean * mean) / episodes),
    success,
    successError: Math.sqrt((success * (1 - success)) / episodes),
  };
}

/** Within 4.5 standard errors: a right simulation of a fresh seed would miss that about seven times in a million. */
function expectMean(mean: number, standardError: number, expected: number) {
  expect(standardError).toBeGreaterThan(0);
  expect(Math.abs(mean - expected)).toBeLessThan(4.5 * standardError);
}

const aboveTwoThirds = (signals: Float32Array, actions: Uint8Array) => {
  for (let i = 0; i < signals.length; i++) actions[i] = signals[i] > 2 / 3 ? 1 : 0;
};

describe("reference values of six agents, two of whom should act", () => {
  test("uniform random play, by enumeration of the joint actions", () => {
    const rng = createRng(1);
    const signals = new Float64Array(6);
    for (let draw = 0; draw < 20; draw++) {
      rng.fillUniform(signals);
      const rewards = jointActions(6).map((actions) => topKReward(signals, actions, plain));
      expect(rewards.filter((reward) => reward === 1)).toHaveLength(1);
      expect(rewards.reduce((sum, reward) => sum + reward) / 64).toBe(-0.96875);
      // Each close pair acts in a quarter of the joint actions.
      const close = [...signals].flatMap((u, i) =>
        [...signals].filter((v, j) => j < i && Math.abs(u - v) < 0.1),
      );
      const withPenalty = jointActions(6).map((actions) => topKReward(signals, actions, penalised));
      expect(withPenalty.reduce((sum, reward) => sum + reward) / 64).toBeCloseTo(
        -0.96875 - close.length / 8,
        12,
      );
    }
    // Two uniform signals are close with probability .19: a grid of 200 x 200, whose pairs exactly .1 apart count half.
    let close = 0;
    for (let x = 0; x < 200; x++) {
      for (let y = 0; y < 200; y++) {
        for (const penaltyDistance of [0.0975, 0.1025]) {
          const rules = { ...penalised, k: 1, penaltyDistance };
          close += (-1 - topKReward([x / 200, y / 200], [1, 1], rules)) / rules.penalty / 2;
        }
      }
    }
    expect(close / 200 ** 2).toBeCloseTo(0.19, 10);
    expect(-0.96875 - 0.5 * 15 * (1 / 4) * 0.19).toBe(-1.325);
  });

  test("uniform random play, by simulation", () => {
    const rng = createRng("actions");
    const uniform = (_: Float32Array, actions: Uint8Array) => {
      for (let i = 0; i < 6; i++) actions[i] = rng.integer(2);
    };
    const game = simulate({}, uniform);
    expectMean(game.success, game.successError, 1 / 64);
    expectMean(game.return, game.returnError, -0.96875);
    const hard = simulate({ penalty: 0.5 }, uniform);
    expectMean(hard.success, hard.successError, 1 / 64);
    expectMean(hard.return, hard.returnError, -1.325);
  });

  test("nobody acts", () => {
    for (const penalty of [0, 0.5]) {
      const game = simulate({ penalty }, (_, actions) => actions.fill(0), 1000);
      expect(game).toMatchObject({ return: -1, success: 0 });
    }
  });

  test("whoever sees all signals always succeeds, on 100,000 draws", () => {
    // As an agent that knows all signals would: act if fewer than two others have a larger one.
    const oracle = (signals: Float32Array, actions: Uint8Array) => {
      for (let i = 0; i < 6; i++)
        actions[i] = signals.filter((signal) => signal > signals[i]).length < 2 ? 1 : 0;
    };
    expect(simulate({}, oracle, 100_000)).toMatchObject({ return: 1, success: 1 });
    const hard = simulate({ penalty: 0.5 }, oracle);
    expect(hard.success).toBe(1);
    expectMean(hard.return, hard.returnError, 0.7657205);
  });

  test("whoever sees all signals, under the penalty, by integration", () => {
    // The gap between the largest two of six uniform signals has the density 6 (1 - g)^5.
    const cells = 1000;
    let expected = 0;
    for (let cell = 0; cell < cells; cell++) {
      const gap = (cell + 0.5) / cells;
      const signals = [1, 1 - gap, -9, -9, -9, -9];
      expected += (6 * (1 - gap) ** 5 * topKReward(signals, topKActions(signals, 2), penalised)) / cells;
    }
    expect(expected).toBeCloseTo(0.7657205, 5);
    expect(1 - 0.5 * (1 - 0.9 ** 6)).toBeCloseTo(0.7657205, 7);
  });

  test("everyone acts above 2/3, by enumeration of who is above", () => {
    let [success, mean] = [0, 0];
    for (const above of jointActions(6)) {
      const signals = above.map((bit, i) => (bit === 1 ? 0.7 : 0.1) + 0.04 * i);
      const probability = above.reduce((product, bit) => (product * (2 - bit)) / 3, 1);
      const reward = topKReward(signals, above, plain);
      mean += probability * reward;
      if (reward === 1) success += probability;
    }
    expect(success).toBeCloseTo(240 / 729, 12);
    expect(success).toBeCloseTo(0.3292181, 7);
    expect(mean).toBeCloseTo(-0.3415638, 7);
  });

  test("everyone acts above 2/3, by simulation", () => {
    const game = simulate({}, aboveTwoThirds);
    expectMean(game.success, game.successError, 0.3292181);
    expectMean(game.return, game.returnError, -0.3415638);
    const hard = simulate({ penalty: 0.5 }, aboveTwoThirds);
    expectMean(hard.success, hard.successError, 0.3292181);
    expectMean(hard.return, hard.returnError, -0.7665638);
  });
});

test("of two equal signals the earlier agent's counts as larger", () => {
  expect([...topKActions([0.5, 0.9, 0.5, 0.5], 2)]).toEqual([1, 1, 0, 0]);
  expect([...topKActions([0.2, 0.2, 0.2], 1)]).toEqual([1, 0, 0]);
  expect(topKReward([0.5, 0.9, 0.5, 0.5], [1, 1, 0, 0], plain)).toBe(1);
  expect(topKReward([0.5, 0.9, 0.5, 0.5], [0, 1, 1, 0], plain)).toBe(-1);
  expect(topKReward([0.2, 0.2, 0.2], [0, 0, 1], { ...plain, k: 1 })).toBe(-1);
});

test("the penalty by hand", () => {
  const signals = [0.5, 0.55, 0.58, 0.9, 0.95, 0];
  // Close pairs: 01, 02, 12, 34.
  for (const [actions, perPair, once] of [
    [[0, 0, 0, 1, 1, 0], 0.5, 0.5],
    [[1, 1, 0, 0, 0, 0], -1.5, -1.5],
    [[1, 1, 1, 0, 0, 0], -2.5, -1.5],
    [[1, 1, 1, 1, 1, 0], -3, -1.5],
    [[1, 0, 0, 1, 0, 0], -1, -1],
    [[0, 0, 0, 0, 0, 1], -1, -1],
  ] as const) {
    expect(topKReward(signals, actions, penalised)).toBe(perPair);
    expect(topKReward(signals, actions, { ...penalised, penaltyMode: "once" })).toBe(once);
    expect(topKReward(signals, actions, plain)).toBe(
      actions[3] + actions[4] === 2 && actions[0] === 0 ? 1 : -1,
    );
  }
  const same = new Array(6).fill(0.3);
  expect(topKReward(same, new Array(6).fill(1), penalised)).toBe(-8.5);
  // Just as far apart as the distance is not close.
  const apart = { ...penalised, penaltyDistance: 0.125 };
  expect(topKReward([0.5, 0.625, 0], [1, 1, 0], apart)).toBe(1);
  expect(topKReward([0.5, 0.6249, 0], [1, 1, 0], apart)).toBe(0.5);
});

const games = fc.integer({ min: 2, max: 6 }).chain((agents) =>
  fc.record({
    // Eighths, so that ties and close pairs abound.
    signals: fc.array(
      fc.integer({ min: 0, max: 7 }).map((eighths) => eighths / 8),
      { minLength: agents, maxLength: agents },
    ),
    rules: fc.record({
      k: fc.integer({ min: 1, max: agents - 1 }),
      penalty: fc.constantFrom(0, 0.3, 0.5, 0.7, 1, 2, 3),
      penaltyMode: fc.constantFrom("perPair" as const, "once" as const),
      penaltyDistance: fc.constantFrom(0, 0.125, 0.2, 0.3, 1),
    }),
  }),
);

test("rewards, optimal joint actions and success are those of the rules written out", () => {
  fc.assert(
    fc.property(games, ({ signals, rules }) => {
      const agents = signals.length;
      const all = jointActions(agents);
      const rewards = all.map((actions) => slowReward(signals, actions, rules));
      const largest = Math.max(...rewards);
      const optimal = all.filter((_, index) => rewards[index] === largest).map((actions) => actions.join(""));
      const found = topKOptimalActions(signals, rules).map((actions) => actions.join(""));
      expect(found.sort()).toEqual(optimal.sort());

      const env = configureEnv(topK, { agents, ...rules }).factory();
      const pairs = rules.penaltyMode === "once" ? Math.min(1, rules.k - 1) : (rules.k * (rules.k - 1)) / 2;
      const top = topKActions(signals, rules.k).join("");
      if (rules.penalty * pairs <= 2) expect(optimal).toContain(top);
      all.forEach((actions, index) => {
        expect(topKReward(signals, actions, rules)).toBe(rewards[index]);
        env.reset(createRng(0));
        const { episode } = env.snapshot() as { episode: never };
        env.restore({ episode, state: signals, played: [] });
        const { reward, success } = env.step(actions);
        expect(reward).toBe(rewards[index]);
        const expected = rules.penalty * pairs <= 2 ? top === actions.join("") : rewards[index] === largest;
        expect(success).toBe(expected);
      });
    }),
    { numRuns: 150 },
  );
});

test("when the top k may cost more than they earn, success is the largest reward", () => {
  const { factory } = configureEnv(topK, { agents: 4, k: 3, penalty: 1 });
  expect(factory().spec.success).toBe("the reward is the largest that the signals allow");
  expect(configureEnv(topK, {}).factory().spec.success).toBe(
    "exactly the agents with the 2 largest signals act",
  );
  // One agent that acts has nobody to be close to, whatever that would cost.
  for (const penaltyMode of ["perPair", "once"]) {
    const alone = configureEnv(topK, { k: 1, penalty: 5, penaltyMode }).factory();
    expect(alone.spec.success).toBe("exactly the agent with the largest signal acts");
  }
  // All three pairs of the top three are close: they would earn -2, less than nobody and than any one agent.
  const signals = [0.5, 0.51, 0.52, 0.1];
  const optimal = topKOptimalActions(signals, { ...penalised, k: 3, penalty: 1 });
  expect(optimal.map((actions) => [...actions].join("")).sort()).toEqual(
    ["0000", "0001", "0010", "0011", "0100", "0101", "1000", "1001"].sort(),
  );
});

test("an agent observes its own signal, the state is all of them, in [0, 1)", () => {
  const env = configureEnv(topK, { agents: 3, k: 1 }).factory();
  const rng = createRng(7);
  const [observations, state] = [new Float32Array(3), new Float32Array(3)];
  let sum = 0;
  for (let episode = 0; episode < 2000; episode++) {
    env.reset(rng);
    env.observe(observations, 0);
    env.state(state, 0);
    expect(observations).toEqual(state);
    for (const signal of state) {
      if (signal < 0 || signal >= 1) expect.unreachable();
      sum += signal;
    }
  }
  // The mean of 6000 uniform numbers has standard error .0037.
  expect(Math.abs(sum / 6000 - 0.5)).toBeLessThan(0.017);
});

test("the scene outlines the top k and colours whoever acted", () => {
  const env = configureEnv(topK, { agents: 4 }).factory();
  env.reset(createRng(3));
  const signals = new Float32Array(4);
  env.state(signals, 0);
  const bars = () => env.scene().shapes.filter((shape) => shape.kind === "rectangle");
  const outlined = () => bars().map(({ stroke }) => (stroke ? 1 : 0));
  expect(outlined()).toEqual([...topKActions(signals, 2)]);
  expect(env.scene().caption).toBe("success: exactly the agents with the 2 largest signals act");
  const before = bars().map(({ fill }) => fill);
  expect(new Set(before).size).toBe(1);
  env.step([1, 0, 0, 0]);
  const after = bars().map(({ fill }) => fill !== before[0]);
  expect(after).toEqual([true, false, false, false]);
  expect(env.scene().caption).toBe("reward -1, no success");
});

test.each([
  [{ k: 6 }, "topk.k: expected an integer at least 1 and below agents=6 (got 6)"],
  [{ agents: 2 }, "topk.k: expected an integer at least 1 and below agents=2 (got the default 2)"],
  [{ k: 0 }, "topk.k: expected an integer at least 1 (got 0)"],
  [{ penalty: -0.5 }, "topk.penalty: expected a number at least 0 (got -0.5)"],
  [{ penaltyMode: "twice" }, 'topk.penaltyMode: expected one of "perPair", "once" (got "twice")'],
])("%o is refused: %s", (overrides, message) => {
  expect(() => configureEnv(topK, overrides)).toThrow(message);
});

test("too many agents to enumerate are refused", () => {
  expect(() => topKOptimalActions(new Float32Array(13), plain)).toThrow(
    "topKOptimalActions: got 13 agents, expected at most 12",
  );
});
