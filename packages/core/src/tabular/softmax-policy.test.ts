import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createRng } from "../random/index.ts";
import {
  bernoulliDag,
  type Dag,
  edges,
  fromEdges,
  full,
  parseTopology,
  product,
} from "../structure/index.ts";
import { denseGame, factoredCoordinationGame, randomGame } from "./cooperative-game.ts";
import { enumerateJointActions, jointActionCount, jointActionIndex } from "./joint-action.ts";
import { evaluatePolicy } from "./policy-value.ts";
import { type ExactSoftmaxPolicy, exactSoftmaxPolicy } from "./softmax-policy.ts";
import {
  gaussianTheta,
  type ThetaLayout,
  thetaFromNested,
  thetaLayout,
  thetaToNested,
} from "./theta-layout.ts";

/** `theta^i[s][k][u] = sin(1 + s + 2k + 3u + 5i)`. */
function sineTheta({ actions, states, parentActions, size }: ThetaLayout): Float64Array {
  const theta = new Float64Array(size);
  let at = 0;
  actions.forEach((choices, i) => {
    for (let s = 0; s < states; s++) {
      for (let k = 0; k < parentActions[i]; k++) {
        for (let u = 0; u < choices; u++) theta[at++] = Math.sin(1 + s + 2 * k + 3 * u + 5 * i);
      }
    }
  });
  return theta;
}

const norm = (values: Float64Array) => Math.hypot(...values);

const references = [
  {
    topology: "full",
    agents: 2,
    epsilon: 0.05,
    value: 30.45953589,
    first: 31.57621822,
    norm: 4.3193464,
    entry: -0.34524294,
    barrierEntry: -0.33684446,
    regularised: 30.32063802,
    gaps: [1.373573, 15.24776],
    unconditional: [1.373573, 11.029631],
    second: [0.530981, 0.07263, 0.109419, 0.286969],
  },
  {
    topology: "1+2",
    agents: 3,
    epsilon: 0.05,
    value: 17.98452461,
    first: 19.72756869,
    norm: 2.28461398,
    entry: 0.15411244,
    barrierEntry: 0.13987466,
    regularised: 17.78153227,
    gaps: [7.095187, 1.714306, 11.509882],
    unconditional: [7.095187, 1.714306, 8.278149],
    second: [0.355744, 0.175237, 0.058277, 0.014353, 0.233615, 0.115077, 0.03827, 0.009425],
  },
  {
    topology: "line",
    agents: 3,
    epsilon: 0.1,
    value: 19.06994415,
    first: 20.84895941,
    norm: 1.73627545,
    entry: -0.05722614,
    barrierEntry: -0.0530269,
    regularised: 18.85918455,
    gaps: [3.178722, 1.778729, 9.943721],
    unconditional: [3.178722, 0.863848, 6.197126],
    second: [0.355744, 0.175237, 0.058277, 0.014353, 0.073308, 0.036111, 0.23026, 0.056709],
  },
];

describe.each(references)("reference values, N = $agents, epsilon = $epsilon, $topology", (reference) => {
  const { agents, epsilon, topology } = reference;
  const factored = factoredCoordinationGame({ agents, epsilon });
  test.each([
    ["factored", factored],
    ["dense", denseGame(factored)],
  ])("%s", (_, game) => {
    const policy = exactSoftmaxPolicy(game, parseTopology(topology, agents));
    const { layout, gradient } = policy;
    const theta = sineTheta(layout);
    const close = (got: number, expected: number) => expect(Math.abs(got - expected)).toBeLessThan(1e-7);
    close(policy.differentiate(theta), reference.value);
    close(policy.stateValues[0], reference.first);
    close(norm(gradient), reference.norm);
    // i = 1, s = 2, last k, u = 0.
    const rows = layout.parentActions[1];
    const entry = layout.offsets[1] + (2 * rows + rows - 1) * 2;
    close(gradient[entry], reference.entry);
    close(policy.differentiate(theta, 0.3), reference.value);
    close(gradient[entry], reference.barrierEntry);
    close(policy.regularisedValue(theta, 0.3), reference.regularised);
    // These are given to six digits, from an iteration that stops a little below.
    reference.gaps.forEach((gap, i) => {
      expect(Math.abs(policy.equilibriumGaps(theta)[i] - gap)).toBeLessThan(1e-6);
    });
    reference.unconditional.forEach((gap, i) => {
      expect(Math.abs(policy.unconditionalGaps(theta)[i] - gap)).toBeLessThan(1e-6);
    });
    reference.second.forEach((probability, a) => {
      expect(policy.jointPolicy[2 * 2 ** agents + a]).toBeCloseTo(probability, 6);
    });
    expect(policy.visitation.reduce((sum, visits) => sum + visits, 0)).toBeCloseTo(20, 10);
  });
});

test("two agents that start at zero: gaps with and without sight of the parent", () => {
  const policy = exactSoftmaxPolicy(factoredCoordinationGame({ agents: 2, epsilon: 0.05 }), full(2));
  const theta = new Float64Array(policy.layout.size);
  expect(Math.max(...policy.equilibriumGaps(theta))).toBeCloseTo(19.2375, 10);
  expect(Math.max(...policy.unconditionalGaps(theta))).toBeCloseTo(4.275, 10);
});

test("zero parameters are a saddle of the product with three agents, and no other DAG's", () => {
  const game = factoredCoordinationGame({ agents: 3, epsilon: 0.05 });
  for (const [topology, expected] of [
    ["product", 0],
    ["1+2", 1.36],
    ["full", 2.11],
  ] as const) {
    const policy = exactSoftmaxPolicy(game, parseTopology(topology, 3));
    policy.differentiate(new Float64Array(policy.layout.size));
    expect(norm(policy.gradient)).toBeCloseTo(expected, 2);
    if (expected === 0) expect(norm(policy.gradient)).toBeLessThan(1e-12);
  }
});

/** A random game, DAG (parents need not have smaller ids) and parameters, all small. */
const cases = fc
  .record({
    actions: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 3 }),
    states: fc.integer({ min: 1, max: 3 }),
    density: fc.constantFrom(0, 0.5, 1),
    lambda: fc.constantFrom(0, 0.3),
    seed: fc.integer({ min: 0, max: 1e6 }),
  })
  .map(({ actions, states, density, lambda, seed }) => {
    const rng = createRng(seed);
    const game = randomGame({ actions, states }, rng.split("game"));
    const names = rng.split("names").permutation(actions.length);
    const ordered = edges(bernoulliDag(actions.length, density, rng.split("dag")));
    const dag = fromEdges(
      actions.length,
      ordered.map(([j, i]) => [names[j], names[i]] as const),
    );
    const policy = exactSoftmaxPolicy(game, dag);
    return { game, dag, lambda, policy, theta: gaussianTheta(policy.layout, rng.split("theta")) };
  });

/** Each row of `theta[i][s][k]`, as positions of its first entry and its length. */
function rowsOf({ offsets, states, parentActions, actions }: ThetaLayout): [number, number][] {
  return offsets.flatMap((offset, i) =>
    Array.from(
      { length: states * parentActions[i] },
      (_, row) => [offset + row * actions[i], actions[i]] as [number, number],
    ),
  );
}

test("the gradient is the central difference of the value, and its rows sum to zero", () => {
  fc.assert(
    fc.property(cases, ({ policy, theta, lambda }) => {
      policy.differentiate(theta, lambda);
      const gradient = policy.gradient.slice();
      const moved = theta.slice();
      for (let k = 0; k < theta.length; k++) {
        moved[k] = theta[k] + 1e-5;
        const above = policy.regularisedValue(moved, lambda);
        moved[k] = theta[k] - 1e-5;
        const below = policy.regularisedValue(moved, lambda);
        moved[k] = theta[k];
        expect(Math.abs((above - below) / 2e-5 - gradient[k])).toBeLessThan(1e-8);
      }
      for (const [at, length] of rowsOf(policy.layout)) {
        let sum = 0;
        for (let u = 0; u < length; u++) sum += gradient[at + u];
        expect(Math.abs(sum)).toBeLessThan(1e-13);
      }
    }),
    { numRuns: 100, seed: 1 },
  );
});

test("the joint policy multiplies conditionals looked up by the parents' actions, by increasing id", () => {
  fc.assert(
    fc.property(cases, ({ game, dag, policy, theta }) => {
      const value = policy.evaluate(theta);
      const nested = thetaToNested(policy.layout, theta);
      const joint = jointActionCount(game.actions);
      const agents = game.actions.length;
      const jointActions = enumerateJointActions(game.actions);
      const table = Float64Array.from({ length: game.states * joint }, (_, entry) => {
        const s = Math.floor(entry / joint);
        const action = jointActions.subarray((entry % joint) * agents, ((entry % joint) + 1) * agents);
        return game.actions.reduce((probability, _choices, i) => {
          const parents = [...dag.parents[i]];
          const k = jointActionIndex(
            parents.map((j) => game.actions[j]),
            parents.map((j) => action[j]),
          );
          const logits = nested[i][s][k];
          const powers = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
          return (probability * Math.exp(logits[action[i]])) / powers;
        }, 1);
      });
      table.forEach((probability, entry) => {
        expect(policy.jointPolicy[entry]).toBeCloseTo(probability, 12);
      });
      const evaluation = evaluatePolicy(game, table);
      expect(value).toBeCloseTo(evaluation.value, 11);
      evaluation.visitation.forEach((visits, s) => {
        expect(policy.visitation[s]).toBeCloseTo(visits, 11);
      });
    }),
    { numRuns: 40, seed: 2 },
  );
});

/** The highest value over all tables of actions of one agent, one action for each row it sees. */
function bestByEnumeration(
  policy: ExactSoftmaxPolicy,
  theta: Float64Array,
  agent: number,
  sees: "parents" | "state",
) {
  const { layout } = policy;
  const rows = layout.parentActions[agent];
  const choices = layout.actions[agent];
  const decisions = layout.states * (sees === "parents" ? rows : 1);
  let best = Number.NEGATIVE_INFINITY;
  for (let code = 0; code < choices ** decisions; code++) {
    const deviating = theta.slice();
    let rest = code;
    for (let d = 0; d < decisions; d++) {
      const chosen = rest % choices;
      rest = Math.floor(rest / choices);
      const span = sees === "parents" ? 1 : rows;
      for (let k = d * span; k < (d + 1) * span; k++) {
        // So far apart that the softmax is exactly an indicator.
        for (let u = 0; u < choices; u++) {
          deviating[layout.offsets[agent] + k * choices + u] = u === chosen ? 800 : -800;
        }
      }
    }
    best = Math.max(best, policy.evaluate(deviating));
  }
  return best;
}

test("gaps are the best of all deterministic deviations", () => {
  const games = fc.record({
    actions: fc.constantFrom([2, 2], [2, 3], [3, 2]),
    states: fc.integer({ min: 1, max: 2 }),
    edge: fc.constantFrom<readonly (readonly [number, number])[]>([], [[0, 1]], [[1, 0]]),
    seed: fc.integer({ min: 0, max: 1e6 }),
  });
  fc.assert(
    fc.property(games, ({ actions, states, edge, seed }) => {
      const rng = createRng(seed);
      const game = randomGame({ actions, states }, rng.split("game"));
      const policy = exactSoftmaxPolicy(game, fromEdges(2, edge));
      const theta = gaussianTheta(policy.layout, rng.split("theta"));
      const value = policy.evaluate(theta);
      const gaps = policy.equilibriumGaps(theta);
      const unconditional = policy.unconditionalGaps(theta);
      // What was looked at meanwhile leaves no trace.
      const { stateValues, visitation, actionValues } = policy;
      const seen = [stateValues, visitation, actionValues].map((numbers) => numbers.slice());
      policy.differentiate(theta);
      expect([stateValues, visitation, actionValues]).toEqual(seen);
      for (const agent of [0, 1]) {
        expect(gaps[agent]).toBeCloseTo(bestByEnumeration(policy, theta, agent, "parents") - value, 10);
        expect(unconditional[agent]).toBeCloseTo(
          bestByEnumeration(policy, theta, agent, "state") - value,
          10,
        );
        if (edge.length === 0) expect(gaps[agent]).toBeCloseTo(unconditional[agent], 10);
      }
    }),
    { numRuns: 25, seed: 3 },
  );
});

test("relabelling agents, their DAG and parameters together keeps the value of the Coordination Game", () => {
  const game = factoredCoordinationGame({ agents: 3, epsilon: 0.1 });
  const policy = exactSoftmaxPolicy(
    game,
    fromEdges(3, [
      [0, 1],
      [0, 2],
      [1, 2],
    ]),
  );
  const renamed = [2, 0, 1];
  const other = exactSoftmaxPolicy(
    game,
    fromEdges(3, [
      [2, 0],
      [2, 1],
      [0, 1],
    ]),
  );
  const theta = gaussianTheta(policy.layout, createRng("relabel"));
  const nested = thetaToNested(policy.layout, theta);
  const states = Array.from({ length: 8 }, (_, s) => {
    const bits = [s >> 2, (s >> 1) & 1, s & 1];
    return bits.reduce((state, bit, i) => state | (bit << (2 - renamed[i])), 0);
  });
  const target = thetaToNested(other.layout, new Float64Array(other.layout.size));
  nested.forEach((ofAgent, i) => {
    ofAgent.forEach((rows, s) => {
      rows.forEach((row, k) => {
        // Agent 2 reads agents 0 and 1, which become 2 and 0: its index swaps the two digits.
        const index = i === 2 ? ((k & 1) << 1) | (k >> 1) : k;
        target[renamed[i]][states[s]][index] = row;
      });
    });
  });
  const relabelled = thetaFromNested(other.layout, target);
  expect(other.evaluate(relabelled)).toBeCloseTo(policy.evaluate(theta), 11);
  const gaps = policy.equilibriumGaps(theta);
  other.equilibriumGaps(relabelled).forEach((gap, j) => {
    expect(gap).toBeCloseTo(gaps[renamed.indexOf(j)], 10);
  });
});

test("rewards shifted by c move the value by c / (1 - gamma) and leave gradient and gaps", () => {
  const rng = createRng("shift");
  const game = randomGame({ actions: [2, 3], states: 3, discount: 0.8 }, rng);
  const shifted = { ...game, reward: game.reward.map((reward) => reward - 7) };
  const [a, b] = [exactSoftmaxPolicy(game, full(2)), exactSoftmaxPolicy(shifted, full(2))];
  const theta = gaussianTheta(a.layout, rng);
  expect(b.differentiate(theta) - a.differentiate(theta)).toBeCloseTo(-35, 11);
  b.gradient.forEach((slope, k) => {
    expect(slope).toBeCloseTo(a.gradient[k], 12);
  });
  const gaps = a.equilibriumGaps(theta);
  b.equilibriumGaps(theta).forEach((gap, i) => {
    expect(gap).toBeCloseTo(gaps[i], 11);
  });
});

test("the unit of rewards does not matter to gaps", () => {
  const rng = createRng("unit");
  const game = randomGame({ actions: [2, 3], states: 3 }, rng);
  const policy = exactSoftmaxPolicy(game, full(2));
  const theta = gaussianTheta(policy.layout, rng);
  const [gaps, unconditional] = [policy.equilibriumGaps(theta), policy.unconditionalGaps(theta)];
  for (const unit of [1e-15, 1e-9, 1e9]) {
    const other = exactSoftmaxPolicy({ ...game, reward: game.reward.map((r) => unit * r) }, full(2));
    gaps.forEach((gap, i) => {
      expect(other.equilibriumGaps(theta)[i] / unit).toBeCloseTo(gap, 10);
      expect(other.unconditionalGaps(theta)[i] / unit).toBeCloseTo(unconditional[i], 10);
    });
  }
});

test("steps are those along the gradient, in any vector of parameters, and tell when they diverge", () => {
  const rng = createRng("steps");
  const game = randomGame({ actions: [2, 3, 2], states: 3 }, rng);
  const dag = fromEdges(3, [
    [2, 0],
    [0, 1],
  ]);
  const policy = exactSoftmaxPolicy(game, dag, 2);
  const start = gaussianTheta(policy.layout, rng);
  for (const lambda of [0, 0.3]) {
    const expected = start.slice();
    for (let step = 0; step < 3; step++) {
      policy.differentiate(expected, lambda);
      policy.gradient.forEach((slope, k) => {
        expected[k] += 0.7 * slope;
      });
    }
    const own = policy.parameters[1];
    own.set(start);
    const copied = start.slice();
    for (const theta of [own, copied]) {
      expect(policy.ascend(theta, { stepSize: 0.7, steps: 3, lambda })).toBe(true);
      expect([...theta]).toEqual([...expected]);
    }
  }
  expect(policy.parameters[0].every((parameter) => parameter === 0)).toBe(true);
  const steep = exactSoftmaxPolicy({ ...game, reward: game.reward.map((r) => 1000 * r) }, dag);
  expect(steep.ascend(start, { stepSize: Number.MAX_VALUE, steps: 1 })).toBe(false);
});

test("probabilities of zero need no division, and the barrier stays finite", () => {
  const game = factoredCoordinationGame({ agents: 2, epsilon: 0.05 });
  const policy = exactSoftmaxPolicy(game, full(2));
  // Agent 0 never plays 1, so rows of agent 1 for that parent action are never visited.
  const theta = new Float64Array(policy.layout.size);
  for (let s = 0; s < 4; s++) theta[2 * s] = 2000;
  policy.differentiate(theta);
  for (let s = 0; s < 4; s++) {
    const row = policy.layout.offsets[1] + (2 * s + 1) * 2;
    expect(policy.gradient.subarray(row, row + 2).every((slope) => slope === 0)).toBe(true);
  }
  expect(policy.equilibriumGaps(theta).every(Number.isFinite)).toBe(true);
  // log pi = -2000 for one of 8 (s, u) of agent 0 in each state: L = V + lambda (-2000/2 + log 2).
  const value = policy.evaluate(theta);
  expect(policy.regularisedValue(theta, 0.1)).toBeCloseTo(value + 0.1 * (-1000 + Math.log(2)), 9);
});

test("nested parameters go in and out, and misshapen ones are refused by place", () => {
  const layout = thetaLayout({ actions: [2, 3], states: 2 }, fromEdges(2, [[1, 0]]));
  expect(layout.parentActions).toEqual([3, 1]);
  expect(layout.offsets).toEqual([0, 12]);
  expect(layout.size).toBe(18);
  const theta = Float64Array.from({ length: 18 }, (_, k) => k);
  const nested = thetaToNested(layout, theta);
  expect(nested[0][1][2]).toEqual([10, 11]);
  expect(nested[1][1]).toEqual([[15, 16, 17]]);
  expect(thetaFromNested(layout, nested)).toEqual(theta);
  const spoil = (change: (parts: unknown[][][][]) => void) => {
    const parts = thetaToNested(layout, theta) as unknown[][][][];
    change(parts);
    return () => thetaFromNested(layout, parts);
  };
  expect(spoil((parts) => parts.pop())).toThrow("theta has 1 entries, expected 2 (agents)");
  expect(spoil((parts) => parts[1].pop())).toThrow("theta[1] has 1 entries, expected 2 (states)");
  expect(spoil((parts) => parts[0][1].pop())).toThrow("theta[0][1] has 2 entries, expected 3");
  expect(spoil((parts) => parts[0][1][0].push(1))).toThrow(
    "theta[0][1][0] has 3 entries, expected 2 (actions)",
  );
  expect(spoil((parts) => (parts[1][0][0][2] = null))).toThrow(
    "theta[1][0][0][2] is null, expected a finite number",
  );
  expect(() => thetaFromNested(layout, 3)).toThrow("theta: got number, expected an array of 2 (agents)");
});

test("a DAG or parameters of another size are refused", () => {
  const game = factoredCoordinationGame({ agents: 2, epsilon: 0.05 });
  const dag: Dag = product(3);
  expect(() => exactSoftmaxPolicy(game, dag)).toThrow("DAG has 3 agents, expected 2");
  expect(() => exactSoftmaxPolicy(game, full(2)).evaluate(new Float64Array(23))).toThrow(
    "theta has 23 entries, expected 24",
  );
});
