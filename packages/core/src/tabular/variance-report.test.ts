import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createRng, type Rng } from "../random/index.ts";
import { type CouplingEdge, couplingGraphs } from "../structure/index.ts";
import { randomLogits, randomStructuredGame, type StructuredGame } from "./structured-game.ts";
import { type VarianceReport, varianceReport } from "./variance-report.ts";

describe("by hand", () => {
  // One state, nobody coupled, no future: agent 0 earns its action, agent 1 earns 1 or 3.
  const game: StructuredGame = {
    couplings: couplingGraphs(2, {}),
    states: [1, 1],
    actions: [2, 2],
    transitions: [Float64Array.of(1, 1), Float64Array.of(1, 1)],
    rewards: [Float64Array.of(0, 1), Float64Array.of(1, 3)],
    initial: Float64Array.of(1),
    discount: 0,
  };
  const even = [new Float64Array(2), new Float64Array(2)];

  test("two agents that play evenly", () => {
    const { totalVariance, reduction, identity, printed, centred } = varianceReport(game, even, 0);
    // Scores are (1/2, -1/2) and (-1/2, 1/2), of squared norm 1/2, and the mean gradient is (-1/4, 1/4).
    expect(totalVariance.decomposed).toBeCloseTo(1 / 4 - 1 / 8, 15);
    // E[Q^2] = (1 + 4 + 9 + 16) / 4.
    expect(totalVariance.whole).toBeCloseTo(7.5 / 2 - 1 / 8, 15);
    // A is 1 or -1.
    expect(totalVariance.centred).toBeCloseTo(1.5 / 2 - 1 / 8, 15);
    expect(reduction).toBeCloseTo(3.5, 15);
    expect(identity).toBeCloseTo(3.5, 15);
    expect(printed.withoutCrossTerm).toBeCloseTo(5 / 2, 15);
    expect(printed.lower).toBeCloseTo(5 / 2, 15);
    expect(printed.lowerInProof).toBeCloseTo(5 / 4, 15);
    expect(printed.upper).toBeCloseTo(1 / 2, 15);
    expect(centred).toEqual({ reduction: 0.5, lower: 0.5, upper: 0.5 });
  });

  test("errors of the estimated values count with the squared score", () => {
    const exact = varianceReport(game, even, 0);
    const noisy = varianceReport(game, even, 0, { whole: 3, decomposed: 1 });
    expect(noisy.totalVariance.decomposed - exact.totalVariance.decomposed).toBeCloseTo(0.5, 15);
    for (const part of ["printed", "centred"] as const) {
      for (const [name, value] of Object.entries(noisy[part])) {
        expect(value - (exact[part] as Record<string, number>)[name]).toBeCloseTo(1, 14);
      }
    }
    expect(noisy.reduction - exact.reduction).toBeCloseTo(1, 14);
    expect(noisy.identity - exact.identity).toBeCloseTo(1, 14);
  });

  test("actions that are never taken change nothing", () => {
    const sure = [new Float64Array(2), Float64Array.of(0, -2000)];
    // Agent 1 earns 1, always: a baseline, which its centred value takes away altogether.
    const { totalVariance, centred, printed } = varianceReport(game, sure, 0);
    expect(totalVariance.centred).toBeCloseTo(totalVariance.decomposed, 15);
    expect(centred.upper).toBe(0);
    // It is the cross term of this baseline that makes the printed bounds fail: 3/2 saved, at most 0 printed.
    expect(totalVariance.whole - totalVariance.decomposed).toBeCloseTo(1, 15);
    expect(printed.upper).toBe(0);
  });
});

/** Games of 2 to 4 agents, each pair coupled in each graph with probability .3. */
function randomGame(rng: Rng, rewards: readonly [number, number]): StructuredGame {
  const agents = 2 + rng.integer(3);
  const edges = () => {
    const found: CouplingEdge[] = [];
    for (let j = 0; j < agents; j++) {
      for (let i = 0; i < agents; i++) if (j !== i && rng.uniform() < 0.3) found.push([j, i]);
    }
    return found;
  };
  const couplings = couplingGraphs(agents, { state: edges(), observation: edges(), reward: edges() });
  const counts = () => Array.from({ length: agents }, () => 1 + rng.integer(agents < 4 ? 3 : 2));
  return randomStructuredGame({ couplings, states: counts(), actions: counts(), rewards }, rng);
}

const rewardRange = fc.constantFrom([-1, 0] as const, [-1, 1] as const, [0, 1] as const);

test("the identity, and the bounds of the centred estimator, in any game with any couplings", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e6 }), rewardRange, (seed, rewards) => {
      const rng = createRng(seed);
      const game = randomGame(rng, rewards);
      const errors = { whole: rng.uniform(), decomposed: rng.uniform() };
      const agent = rng.integer(game.actions.length);
      const { reduction, identity, centred } = varianceReport(game, randomLogits(game, rng), agent, errors);
      expect(Math.abs(reduction - identity)).toBeLessThan(1e-10);
      expect(centred.reduction).toBeGreaterThan(centred.lower - 1e-12);
      expect(centred.reduction).toBeLessThan(centred.upper + 1e-12);
    }),
    { numRuns: 150, seed: 1 },
  );
});

test("rewards of one sign: the decomposition never costs, and saves at least the spread of what is left out", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e6 }), fc.boolean(), (seed, positive) => {
      const rng = createRng(seed);
      const game = randomGame(rng, positive ? [0, 1] : [-1, 0]);
      const { reduction, printed, centred } = varianceReport(game, randomLogits(game, rng), 0);
      expect(reduction).toBeGreaterThan(-1e-12);
      expect(reduction).toBeGreaterThan(printed.lower - 1e-12);
      expect(reduction).toBeGreaterThan(centred.reduction - 1e-12);
    }),
    { numRuns: 60, seed: 2 },
  );
});

test("an agent whose critics read everybody: the printed upper bound is 0, and yet Qbar is not", () => {
  // Agent 0 moves agent 1: the action of agent 1 matters to its own value alone, which depends on both.
  const couplings = couplingGraphs(2, { state: [[0, 1]] });
  const rng = createRng(5);
  const game = randomStructuredGame({ couplings, rewards: [-1, 0] }, rng);
  const { reduction, printed, centred } = varianceReport(game, randomLogits(game, rng), 1);
  expect(printed.upper).toBe(0);
  expect(reduction).toBeGreaterThan(1);
  expect(centred.reduction).toBeCloseTo(0, 14);
});

describe("three agents, the first of which moves the second", () => {
  const couplings = couplingGraphs(3, { state: [[0, 1]] });
  const instances = 1000;
  const reports = (rewards: readonly [number, number]): VarianceReport[] => {
    const rng = createRng(7).split(rewards.join());
    return Array.from({ length: instances }, () => {
      const game = randomStructuredGame({ couplings, rewards }, rng);
      // Policies of one normal log-odds for each observation.
      const logits = game.states.map(() => Float64Array.of(0, rng.normal(), 0, rng.normal()));
      return varianceReport(game, logits, 0);
    });
  };
  const percentage = (all: VarianceReport[], of: (report: VarianceReport) => boolean) =>
    (100 * all.filter(of).length) / instances;
  const median = (all: VarianceReport[], of: (report: VarianceReport) => number) =>
    all.map(of).sort((a, b) => a - b)[instances / 2];

  // An independent program, 2000 other instances. Its scores are those of log-odds: with a logit for each of two actions
  // squared norms, and what is linear in them, are twice as large.
  test("rewards in [-1, 0]", () => {
    const all = reports([-1, 0]);
    expect(percentage(all, ({ reduction }) => reduction < 0)).toBe(0);
    expect(percentage(all, ({ reduction, printed }) => reduction < printed.lower)).toBe(0);
    expect(percentage(all, ({ reduction, printed }) => reduction > printed.upper)).toBe(100);
    const relative = (of: (report: VarianceReport) => number, found: number) =>
      expect(Math.abs(median(all, of) / 2 / found - 1)).toBeLessThan(0.1);
    relative(({ reduction }) => reduction, 6.3);
    relative(({ printed }) => printed.withoutCrossTerm, 1.29);
    relative(({ printed }) => printed.upper, 0.053);
  });

  test("rewards in [-1, 1]", () => {
    const all = reports([-1, 1]);
    // Three standard errors of the difference of two such percentages.
    const near = (of: (report: VarianceReport) => boolean, found: number) => {
      const share = found / 100;
      const error = 100 * Math.sqrt(share * (1 - share) * (1 / instances + 1 / 2000));
      expect(Math.abs(percentage(all, of) - found)).toBeLessThan(3 * error);
    };
    near(({ reduction }) => reduction < 0, 33);
    near(({ reduction, printed }) => reduction < printed.lower, 39);
    // The constant of the proof is squared: a quarter, where all else is half.
    near(({ reduction, printed }) => reduction / 2 < printed.lowerInProof / 4, 36);
    near(({ reduction, printed }) => reduction > printed.upper, 49);
    const slack = 1e-12;
    expect(percentage(all, ({ centred }) => centred.reduction < centred.lower - slack)).toBe(0);
    expect(percentage(all, ({ centred }) => centred.reduction > centred.upper + slack)).toBe(0);
  });
});
