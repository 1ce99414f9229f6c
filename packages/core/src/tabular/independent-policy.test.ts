import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { configureEnv, type EnvDefinition, environments } from "../envs/index.ts";
import { InputError } from "../errors.ts";
import { createRng } from "../random/index.ts";
import {
  bestAlikeRate,
  bestIndependentPolicy,
  bestInformedValue,
  bestSharedValue,
  enumerateJointActions,
  jointActionIndex,
  type ObservationGame,
  observationGame,
  uniformValue,
} from "./index.ts";

function gameOf(name: keyof typeof environments, settings: Record<string, unknown> = {}): ObservationGame {
  const definition = environments[name] as EnvDefinition;
  const { model } = configureEnv(definition, settings).factory();
  return observationGame((model ?? expect.unreachable())());
}

describe("the games of AGP", () => {
  test.each([
    ["agreement", {}, 1, 1, 1, 0.5],
    // Theorem 3.1: nobody sees the bit, so nobody does better than 1/2, together or apart.
    ["latent-agreement", {}, 0.5, 0.5, 1, 0.25],
    // A separation that is one: each agent needs what only the other one sees.
    ["swap", {}, 0.5, 1, 1, 0.25],
    ["one-hot", {}, 1, 1, 1, 6 / 64],
    ["exactly-k", { agents: 5, k: 2 }, 1, 1, 1, 10 / 32],
    ["parity", { agents: 3 }, 1, 1, 1, 0.5],
    ["matrix-game", {}, 3, 3, 3, 0.75],
  ] as const)(
    "%s %j: %d apart, %d together, %d when the state is known",
    (name, settings, apart, together, informed, uniform) => {
      const game = gameOf(name, settings);
      expect(bestIndependentPolicy(game).value).toBeCloseTo(apart, 14);
      expect(bestSharedValue(game)).toBeCloseTo(together, 14);
      expect(bestInformedValue(game)).toBeCloseTo(informed, 14);
      expect(uniformValue(game)).toBeCloseTo(uniform, 14);
    },
  );

  test("agents that are all alike do worse at tasks that need roles", () => {
    expect(bestAlikeRate(gameOf("one-hot"))!.value).toBeCloseTo((5 / 6) ** 5, 12);
    const { rate, value } = bestAlikeRate(gameOf("exactly-k"))!;
    expect(value).toBeCloseTo(240 / 729, 12);
    expect(rate).toBeCloseTo(1 / 3, 6);
    expect(bestAlikeRate(gameOf("parity"))).toEqual({ rate: 0, value: 1 });
    expect(bestAlikeRate(gameOf("swap"))).toBeUndefined();
    expect(bestAlikeRate(gameOf("agreement", { actions: 3 }))).toBeUndefined();
  });

  test("(0, 0) of Theorem 3.2 is an independent policy", () => {
    expect(bestIndependentPolicy(gameOf("matrix-game")).policy.map((own) => [...own])).toEqual([[0], [0]]);
  });
});

describe("bestIndependentPolicy", () => {
  const randomGame = (seed: number): ObservationGame => {
    const rng = createRng(seed);
    const agents = 1 + rng.integer(3);
    const list = (least: number, most: number) =>
      Array.from({ length: agents }, () => least + rng.integer(most - least + 1));
    const [actions, observations, states] = [list(1, 3), list(1, 2), 1 + rng.integer(5)];
    const joint = actions.reduce((a, b) => a * b);
    const weights = Float64Array.from({ length: states }, () => rng.uniform());
    const total = weights.reduce((a, b) => a + b);
    return {
      actions,
      observations,
      probability: weights.map((weight) => weight / total),
      observed: Int32Array.from({ length: states * agents }, (_, k) => rng.integer(observations[k % agents])),
      reward: Float64Array.from({ length: states * joint }, () => rng.normal()),
    };
  };

  test("equals the best of all pairs of state and policy, one after the other", () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const game = randomGame(seed);
        const { actions, observations, probability, observed, reward } = game;
        const agents = actions.length;
        const joint = actions.reduce((a, b) => a * b);
        // An agent's policy is a joint action of as many players as it has observations.
        const policies = actions.map((n, i) => {
          const all = enumerateJointActions(new Array(observations[i]).fill(n));
          return Array.from({ length: n ** observations[i] }, (_, k) =>
            all.subarray(k * observations[i], (k + 1) * observations[i]),
          );
        });
        const teams = enumerateJointActions(policies.map((own) => own.length));
        const worthOf = (choose: (i: number, o: number) => number) =>
          probability.reduce((sum, p, s) => {
            const chosen = actions.map((_, i) => choose(i, observed[s * agents + i]));
            return sum + p * reward[s * joint + jointActionIndex(actions, chosen)];
          }, 0);
        let most = Number.NEGATIVE_INFINITY;
        for (let t = 0; t < teams.length; t += agents) {
          most = Math.max(
            most,
            worthOf((i, o) => policies[i][teams[t + i]][o]),
          );
        }
        const best = bestIndependentPolicy(game);
        expect(best.value).toBeCloseTo(most, 12);
        expect(worthOf((i, o) => best.policy[i][o])).toBeCloseTo(most, 12);
        expect(bestSharedValue(game)).toBeGreaterThanOrEqual(most - 1e-12);
        expect(bestInformedValue(game)).toBeGreaterThanOrEqual(bestSharedValue(game) - 1e-12);
      }),
      { numRuns: 200 },
    );
  });

  test("names what is too much", () => {
    const game = gameOf("swap");
    const many = { ...game, observations: [30, 30], probability: new Float64Array(4) };
    expect(() => bestIndependentPolicy(many)).toThrow(
      new InputError(
        "independent policies: 1073741824 x 1073741824 of them in 4 states are too many to try, expected a smaller game",
      ),
    );
  });
});
