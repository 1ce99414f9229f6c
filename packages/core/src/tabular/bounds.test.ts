import fc from "fast-check";
import { expect, test } from "vitest";
import { createRng } from "../random/index.ts";
import {
  consecutivePartition,
  full,
  line,
  parseTopology,
  partitionDag,
  partitionsOf,
  product,
} from "../structure/index.ts";
import {
  type BoundSetting,
  boundSetting,
  isRefinement,
  lemma2,
  lemma3BnRates,
  lemma3Subteams,
  partitionComplexity,
  smoothness,
  splitDifference,
  stationarityLevel,
  subteamPartition,
  theorem1,
  theorem2BnRates,
  theorem2Subteams,
  theoryStepSize,
} from "./bounds.ts";
import { factoredCoordinationGame, randomGame } from "./cooperative-game.ts";
import { createAscent, runAscent } from "./gradient-ascent.ts";

/** Two agents with two actions, four states, M = 10, rewards in `[0, rewardRange]`. */
const sample = (topology: string, rewardRange = 1): BoundSetting => ({
  dag: parseTopology(topology, 2),
  states: 4,
  actions: [2, 2],
  discount: 0.95,
  rewardRange,
  mismatch: 10,
});

const exact = { transition: 0, reward: 0 };

test.each([
  [[1, 1], 2],
  [[2], 3],
  [[1, 1, 1], 3],
  [[1, 2], 4],
  [[3], 7],
  [[1, 1, 1, 1, 1], 5],
  [[2, 3], 10],
  [[1, 4], 16],
  [[5], 31],
])("complexity of blocks %j is %d", (sizes, expected) => {
  expect(partitionComplexity(consecutivePartition(sizes))).toBe(expected);
});

test("Proposition 2: refining a partition lowers the complexity, by at least 1 for each split", () => {
  expect(splitDifference(2, 3)).toBe(-21);
  const partitions = [...partitionsOf(5)];
  let refinements = 0;
  for (const fine of partitions) {
    for (const coarse of partitions) {
      if (!isRefinement(fine, coarse)) continue;
      refinements++;
      const splits = fine.length - coarse.length;
      expect(partitionComplexity(fine)).toBeLessThanOrEqual(partitionComplexity(coarse) - splits);
    }
  }
  // All pairs of partitions of five elements in which one refines the other: the fifth twice-iterated Bell number.
  expect(refinements).toBe(358);
  expect(isRefinement([[0, 1], [2]], [[0], [1, 2]])).toBe(false);
  for (let a = 1; a < 6; a++) {
    for (let b = 1; b < 6; b++) {
      const blocks = (sizes: number[]) => partitionComplexity(consecutivePartition(sizes));
      expect(splitDifference(a, b)).toBe(blocks([a, b]) - blocks([a + b]));
    }
  }
});

test("a DAG's subteams are its connected agents, where all of them are joined", () => {
  expect(subteamPartition(product(3))).toEqual([[0], [1], [2]]);
  expect(subteamPartition(partitionDag([2, 3]))).toEqual([
    [0, 1],
    [2, 3, 4],
  ]);
  expect(subteamPartition(parseTopology("edges:3>0,2>1", 4))).toEqual([
    [0, 3],
    [1, 2],
  ]);
  expect(subteamPartition(line(3))).toBeUndefined();
});

test("smoothness, step size and level by hand", () => {
  // 8 * 2 / .05^3 = 128000; the barrier adds 2 * .4 * (1 + 1/2) / 4 or 2 * .4 * 2 / 4.
  expect(smoothness(sample("full"), 0)).toBeCloseTo(128000, 6);
  expect(smoothness(sample("full", 3), 0)).toBeCloseTo(384000, 6);
  expect(smoothness(sample("full"), 0.4) - 128000).toBeCloseTo(0.3, 8);
  expect(smoothness(sample("full"), 0.4, "subteams") - 128000).toBeCloseTo(0.4, 8);
  expect(theoryStepSize(sample("full"), 0)).toBeCloseTo(7.8125e-6, 15);
  // .8 / (2 * 4 * 4 * 2)
  expect(stationarityLevel(sample("full"), 0.8)).toBeCloseTo(0.0125, 15);
});

test("lemmas by hand", () => {
  expect(lemma2(sample("line"), 0.1)).toMatchObject({ printed: 2, corrected: 2 });
  // 2 * .1 * 10 * 3, and with a product 2 * .1 * 10 * 2 + 4 (.1/.05 + .95 * 4 * .01/.0025).
  expect(lemma3Subteams(sample("full"), 0.1, exact).printed).toBeCloseTo(6, 12);
  const errors = { transition: 0.01, reward: 0.1 };
  expect(lemma3Subteams(sample("product"), 0.1, errors).printed).toBeCloseTo(4 + 8 + 60.8, 10);
  expect(lemma3Subteams(sample("product"), 0.1, errors).corrected).toBeCloseTo(4 + 8 + 60.8, 10);
  expect(lemma3Subteams(sample("product", 3), 0.1, errors).corrected).toBeCloseTo(4 + 8 + 182.4, 10);
  // The decomposition's share with minimax errors and rewards over 3 is vacuous.
  const minimax = { transition: 0.2025, reward: 1.25 / 3 };
  expect(lemma3Subteams(sample("product"), 0, minimax).printed).toBeCloseTo(1264.5, 1);
  // 2^3 * 2 * .1 * 10
  expect(lemma3BnRates(sample("full"), 0.1)).toMatchObject({ printed: 16, corrected: 16 });
  expect(() => lemma3BnRates(sample("product"), 0.1)).toThrow("DAG has 0 edges, expected a full one with 1");
  const chain = { ...sample("full"), dag: line(3), actions: [2, 2, 2] };
  expect(() => lemma3Subteams(chain, 0.1, exact)).toThrow("expected subteams without edges between them");
});

const closeRatio = (got: number, expected: number) => expect(got / expected).toBeCloseTo(1, 12);

test("iteration counts, as printed and corrected", () => {
  const subteams1 = theorem1(sample("full"), 1, "subteams");
  closeRatio(subteams1.printedTerms[0], 5.24288e11);
  closeRatio(subteams1.printedTerms[1], 204_800);
  closeRatio(subteams1.correctedTerms[0], 16 * 5.24288e11);
  closeRatio(subteams1.correctedTerms[1], 16 * 204_800);
  closeRatio(subteams1.printed, 5.24288e11 + 204_800);
  expect(subteams1.lambda).toBe(0.05);

  // sum_i 1/|A^{P^i}| = 3/2 in place of N = 2; printed with the stray lambda = 1/20.
  const rates1 = theorem1(sample("full", 3), 1, "bn-rates");
  closeRatio(rates1.printedTerms[0], 9 * 5.24288e11);
  closeRatio(rates1.printedTerms[1], (3 * 0.75 * 204_800) / 20);
  closeRatio(rates1.correctedTerms[0], 9 * 16 * 5.24288e11);
  closeRatio(rates1.correctedTerms[1], 3 * 16 * 0.75 * 204_800);

  const subteams2 = theorem2Subteams(sample("full"), 1);
  closeRatio(subteams2.printedTerms[0], 7.5497472e13);
  closeRatio(subteams2.printedTerms[1], 9_830_400);
  closeRatio(subteams2.corrected, subteams2.printed);
  closeRatio(theorem2Subteams(sample("full", 3), 1).correctedTerms[0], 9 * 7.5497472e13);
  closeRatio(subteams2.lambda, 1 / 60);

  // N^3 M^2 S^2 A^2 m^2 / .05^4 = 8 * 100 * 16 * 16 * 4 * 160000; N M S A^2 m^2 1.5 / .05 = 153600.
  const rates2 = theorem2BnRates(sample("full"), 1);
  closeRatio(rates2.printedTerms[0], 2 ** 10 * 1.31072e11);
  closeRatio(rates2.printedTerms[1], 8 * 153_600);
  closeRatio(rates2.correctedTerms[0], 2 ** 12 * 1.31072e11);
  closeRatio(rates2.correctedTerms[1], 2 ** 7 * 153_600);
  closeRatio(rates2.lambda, 1 / 160);
});

test("corrected counts are the descent lemma's: 8 beta S^2 A^2 m^2 Delta / (lambda^2 (1 - gamma))", () => {
  const derived = (setting: BoundSetting, lambda: number, paper: "subteams" | "bn-rates") =>
    (8 * smoothness(setting, lambda, paper) * (4 * 4 * 2) ** 2 * setting.rewardRange) / (lambda ** 2 * 0.05);
  // Subteams' own smoothness is for a range of 1.
  for (const bound of [theorem1(sample("full"), 0.7, "subteams"), theorem2Subteams(sample("full"), 0.7)]) {
    closeRatio(bound.corrected, derived(sample("full"), bound.lambda, "subteams"));
  }
  const setting = sample("full", 3);
  for (const bound of [theorem1(setting, 0.7, "bn-rates"), theorem2BnRates(setting, 0.7)]) {
    closeRatio(bound.corrected, derived(setting, bound.lambda, "bn-rates"));
  }
});

test("the setting reads rewards' range, sizes and mismatch off the game", () => {
  const game = factoredCoordinationGame({ agents: 2, epsilon: 0.05 });
  const setting = boundSetting(game, full(2));
  expect(setting).toMatchObject({ states: 4, actions: [2, 2], discount: 0.95, rewardRange: 3 });
  expect(setting.mismatch).toBeCloseTo(58.479, 3);
  expect(boundSetting(game, full(2), 7).mismatch).toBe(7);
});

test("value never falls at the theory step size, with and without barrier", () => {
  const games = fc.record({
    actions: fc.constantFrom([2, 2], [3, 2], [2, 1, 2]),
    topology: fc.constantFrom("product", "line", "full"),
    lambda: fc.constantFrom(0, 0.5),
    seed: fc.integer({ min: 0, max: 1e6 }),
  });
  fc.assert(
    fc.property(games, ({ actions, topology, lambda, seed }) => {
      const rng = createRng(seed);
      const game = randomGame({ actions, states: 2, discount: 0.5 }, rng);
      const dag = parseTopology(topology, actions.length);
      const stepSize = theoryStepSize(boundSetting(game, dag, 1), lambda);
      const iterations = 40;
      const recordAt = Array.from({ length: iterations }, (_, t) => t);
      const ascent = createAscent(game, dag, [], { stepSize, iterations });
      const start = new Float64Array(ascent.policy.layout.size);
      rng.fillNormal(start);
      const [state] = runAscent(createAscent(game, dag, [start], { stepSize, iterations, lambda, recordAt }));
      const objectives = state.records.map((record) => record.objective);
      for (let t = 1; t < objectives.length; t++) {
        // The descent lemma promises half a step size times the squared gradient.
        const promised = (stepSize / 2) * state.records[t - 1].gradientNorm ** 2;
        expect(objectives[t] - objectives[t - 1]).toBeGreaterThanOrEqual(promised - 1e-13);
      }
      expect(objectives.at(-1)).toBeGreaterThan(objectives[0]);
    }),
    { numRuns: 30, seed: 5 },
  );
});

test("Lemmas 2 and 3 hold at the stationarity level on 100 random games", () => {
  const kinds = [
    { actions: [2, 2], topology: "full" },
    { actions: [2, 2], topology: "product" },
    { actions: [3, 2], topology: "full" },
    { actions: [2, 2, 2], topology: "full" },
    { actions: [2, 2, 2], topology: "line" },
  ];
  const tightest = { equilibrium: 0, optimality: 0 };
  for (let seed = 0; seed < 100; seed++) {
    const { actions, topology } = kinds[seed % kinds.length];
    const rng = createRng(`lemmas/${seed}`);
    const game = randomGame({ actions, states: 2, discount: 0.5 }, rng);
    const dag = parseTopology(topology, actions.length);
    const setting = boundSetting(game, dag);
    const lambda = 0.2;
    const options = {
      stepSize: 1,
      iterations: 20_000,
      lambda,
      gradientNorm: stationarityLevel(setting, lambda),
      gaps: true,
    };
    const { layout } = createAscent(game, dag, [], options).policy;
    const [state] = runAscent(createAscent(game, dag, [new Float64Array(layout.size)], options));
    expect(state.status).toBe("stationary");
    const { equilibriumGaps, optimalityGap } = state.records.at(-1) ?? expect.unreachable();
    const gap = Math.max(...(equilibriumGaps ?? []));
    expect(gap).toBeLessThanOrEqual(lemma2(setting, lambda).corrected);
    tightest.equilibrium = Math.max(tightest.equilibrium, gap / lemma2(setting, lambda).corrected);
    if (topology !== "full") continue;
    const bound = lemma3Subteams(setting, lambda, exact).corrected;
    expect(optimalityGap).toBeLessThanOrEqual(bound);
    expect(bound).toBeLessThan(lemma3BnRates(setting, lambda).corrected);
    tightest.optimality = Math.max(tightest.optimality, optimalityGap / bound);
  }
  // Not vacuous: some game comes within a factor of ten of its bound.
  expect(tightest.equilibrium).toBeGreaterThan(0.1);
  expect(tightest.optimality).toBeGreaterThan(0.03);
});

test("without decomposition errors Lemma 3 bounds a product policy as well", () => {
  // The reward is a sum over agents and the transition ignores actions, so the product's errors are zero.
  for (let seed = 0; seed < 10; seed++) {
    const rng = createRng(`separable/${seed}`);
    const game = randomGame({ actions: [2, 3], states: 2, discount: 0.5 }, rng);
    const own = [new Float64Array(4), new Float64Array(6)];
    for (const values of own) rng.fillUniform(values);
    for (let s = 0; s < 2; s++) {
      for (let a = 0; a < 6; a++) {
        game.reward[s * 6 + a] = own[0][2 * s + Math.floor(a / 3)] + own[1][3 * s + (a % 3)];
        game.transition.copyWithin((s * 6 + a) * 2, s * 12, s * 12 + 2);
      }
    }
    const dag = product(2);
    const setting = boundSetting(game, dag);
    const lambda = 0.2;
    const { layout } = createAscent(game, dag, [], { stepSize: 1, iterations: 0 }).policy;
    const [state] = runAscent(
      createAscent(game, dag, [new Float64Array(layout.size)], {
        stepSize: 1,
        iterations: 20_000,
        lambda,
        gradientNorm: stationarityLevel(setting, lambda),
      }),
    );
    expect(state.status).toBe("stationary");
    expect(state.records[state.records.length - 1].optimalityGap).toBeLessThanOrEqual(
      lemma3Subteams(setting, lambda, exact).corrected,
    );
  }
});
