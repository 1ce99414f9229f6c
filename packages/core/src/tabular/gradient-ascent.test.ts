import { describe, expect, test } from "vitest";
import { createRng } from "../random/index.ts";
import { mean, standardError } from "../stats/index.ts";
import { full, parseTopology, product } from "../structure/index.ts";
import { boundSetting, lemma2, lemma3Subteams, stationarityLevel } from "./bounds.ts";
import { factoredCoordinationGame, randomGame } from "./cooperative-game.ts";
import { type AscentOptions, createAscent, practicalStepSize, runAscent } from "./gradient-ascent.ts";
import { exactSoftmaxPolicy } from "./softmax-policy.ts";
import { gaussianTheta, thetaLayout } from "./theta-layout.ts";

const game = factoredCoordinationGame({ agents: 2, epsilon: 0.05 });
const layout = thetaLayout(game, full(2));
const start = gaussianTheta(layout, createRng("start"));

test("one step of either optimiser by hand", () => {
  const policy = exactSoftmaxPolicy(game, full(2));
  policy.differentiate(start, 0.3);
  const step = (optimiser: "sgd" | "adam") => {
    const ascent = createAscent(game, full(2), [start], {
      stepSize: 0.5,
      iterations: 9,
      lambda: 0.3,
      optimiser,
    });
    expect(ascent.advance(1)).toBe(true);
    return ascent.states()[0];
  };
  step("sgd").theta.forEach((parameter, k) => {
    expect(parameter).toBeCloseTo(start[k] + 0.5 * policy.gradient[k], 14);
  });
  // After one step Adam's moments are the gradient and its square, so it moves by the step size along the sign.
  step("adam").theta.forEach((parameter, k) => {
    expect(parameter).toBeCloseTo(start[k] + 0.5 * Math.sign(policy.gradient[k]), 6);
  });
});

test("records hold the measures of the parameters at their iteration", () => {
  const [state] = runAscent(
    createAscent(game, full(2), [start], {
      stepSize: 0.02,
      iterations: 7,
      lambda: 0.3,
      recordAt: [0, 3],
      gaps: true,
    }),
  );
  expect(state.records.map((record) => record.iteration)).toEqual([0, 3, 7]);
  expect(state).toMatchObject({ status: "finished", iteration: 7 });
  const policy = exactSoftmaxPolicy(game, full(2));
  const last = state.records[2];
  const theta = Float64Array.from(state.theta);
  expect(last.value).toBe(policy.differentiate(theta, 0.3));
  expect(last.gradientNorm).toBeCloseTo(Math.hypot(...policy.gradient), 13);
  expect(last.objective).toBe(policy.regularisedValue(theta, 0.3));
  expect(last.equilibriumGaps).toEqual([...policy.equilibriumGaps(theta)]);
  expect(last.unconditionalGaps).toEqual([...policy.unconditionalGaps(theta)]);
  expect(last.optimalityGap).toBeCloseTo(52.7875 - last.value, 10);
  expect(last.priceOfAnarchy).toBeCloseTo(last.value / 52.7875, 12);
  expect(last.suboptimality).toBeCloseTo(1 - last.priceOfAnarchy, 14);
});

describe.each(["sgd", "adam"] as const)("%s", (optimiser) => {
  const options: AscentOptions = { stepSize: 0.1, iterations: 30, optimiser, recordAt: [0, 10, 20] };
  test("resumes from JSON bit for bit", () => {
    const starts = [start, new Float64Array(layout.size)];
    const whole = runAscent(createAscent(game, full(2), starts, options));
    const first = createAscent(game, full(2), starts, options);
    first.advance(13);
    const second = createAscent(game, full(2), JSON.parse(JSON.stringify(first.states())), options);
    expect(second.states()).toEqual(first.states());
    expect(runAscent(second)).toEqual(whole);
  });
});

test("starts do not touch each other, nor what was given", () => {
  const kept = start.slice();
  const other = gaussianTheta(layout, createRng("other"));
  const options = { stepSize: 0.1, iterations: 5 };
  const both = runAscent(createAscent(game, full(2), [other, start], options));
  const alone = runAscent(createAscent(game, full(2), [start], options));
  expect(both[1]).toEqual(alone[0]);
  expect(start).toEqual(kept);
});

test("looking at the gradient changes no step", () => {
  const walk = (recordAt: number[]) => {
    const [{ theta }] = runAscent(
      createAscent(game, full(2), [start], { stepSize: 0.1, iterations: 9, recordAt }),
    );
    return theta;
  };
  expect(walk([0, 1, 5, 6])).toEqual(walk([]));
});

test("progress is reported, and can stop the ascent", () => {
  const options = { stepSize: 0.1, iterations: 25 };
  const seen: number[] = [];
  const whole = runAscent(createAscent(game, full(2), [start], options), {
    every: 10,
    report: (steps) => {
      seen.push(steps);
      return true;
    },
  });
  expect(seen).toEqual([10, 20]);
  const stopped = runAscent(createAscent(game, full(2), [start], options), {
    every: 10,
    report: (steps) => steps < 20,
  });
  expect(stopped[0]).toMatchObject({ iteration: 20, status: "running" });
  expect(runAscent(createAscent(game, full(2), stopped, options))).toEqual(whole);
});

test("a start stops as soon as its gradient is short enough", () => {
  const lambda = 0.1;
  const gradientNorm = 1e-3;
  const [state] = runAscent(
    createAscent(game, full(2), [start], {
      stepSize: 0.5,
      iterations: 100_000,
      lambda,
      gradientNorm,
      recordAt: [],
    }),
  );
  expect(state.status).toBe("stationary");
  const policy = exactSoftmaxPolicy(game, full(2));
  policy.differentiate(Float64Array.from(state.theta), lambda);
  expect(Math.hypot(...policy.gradient)).toBeLessThanOrEqual(gradientNorm);
  const shorter = { stepSize: 0.5, iterations: state.iteration - 1, lambda, gradientNorm };
  expect(runAscent(createAscent(game, full(2), [start], shorter))[0].status).toBe("finished");
});

test("what the barrier costs two agents, and that Lemmas 2 and 3 allow for it", () => {
  // Zero start, converged to a gradient of 1e-5: normalised suboptimality and largest gap.
  for (const [lambda, topology, suboptimality, gap] of [
    [0.1, "product", 0.00188, 0.0494],
    [0.1, "full", 0.00138, 0.0484],
    [1, "product", 0.01715, 0.448],
    [1, "full", 0.0121, 0.417],
  ] as const) {
    const dag = parseTopology(topology, 2);
    const setting = boundSetting(game, dag);
    expect(stationarityLevel(setting, lambda)).toBeGreaterThan(1e-5);
    const zero = new Float64Array(thetaLayout(game, dag).size);
    const options = { stepSize: 0.5, iterations: 100_000, lambda, gradientNorm: 1e-5, gaps: true };
    const [{ status, records }] = runAscent(createAscent(game, dag, [zero], options));
    expect(status).toBe("stationary");
    const last = records[records.length - 1];
    expect(last.suboptimality).toBeCloseTo(suboptimality, 5);
    const largest = Math.max(...(last.equilibriumGaps ?? []));
    expect(largest / gap).toBeCloseTo(1, 2);
    expect(largest).toBeLessThanOrEqual(lemma2(setting, lambda).corrected);
    if (topology === "product") continue;
    const bound = lemma3Subteams(setting, lambda, { transition: 0, reward: 0 });
    expect(last.optimalityGap).toBeLessThanOrEqual(bound.corrected);
  }
});

test.each([
  [2, "product", 7.6e-6],
  [2, "full", 7.5e-6],
  [3, "1+2", 2.4e-5],
  [3, "full", 2.4e-5],
] as const)(
  "a zero start without barrier reaches the optimum slowly, N = %d, %s",
  (agents, topology, reached) => {
    const played = factoredCoordinationGame({ agents, epsilon: 0.05 });
    const dag = parseTopology(topology, agents);
    const zero = new Float64Array(thetaLayout(played, dag).size);
    const [{ records }] = runAscent(createAscent(played, dag, [zero], { stepSize: 0.5, iterations: 20_000 }));
    expect(records[1].suboptimality / reached).toBeCloseTo(1, 1);
  },
);

// Means and standard errors over 50 Gaussian starts of an independent implementation.
test.each([
  { agents: 2, topology: "product", epsilon: 0.05, iterations: 500, subopt: [0.0832, 0.0142] },
  { agents: 2, topology: "full", epsilon: 0.05, iterations: 500, subopt: [0.0232, 0.0053] },
  { agents: 3, topology: "product", epsilon: 0.05, iterations: 100, subopt: [0.2764, 0.0151] },
  { agents: 3, topology: "line", epsilon: 0.05, iterations: 100, subopt: [0.2434, 0.0153] },
  { agents: 3, topology: "full", epsilon: 0.05, iterations: 500, subopt: [0.1027, 0.012] },
])("suboptimality of 10 starts, N = $agents, $topology, after $iterations steps", (cell) => {
  const { agents, topology, epsilon, iterations, subopt } = cell;
  const played = factoredCoordinationGame({ agents, epsilon });
  const dag = parseTopology(topology, agents);
  const rng = createRng(`reference/${agents}/${topology}`);
  const own = thetaLayout(played, dag);
  const starts = Array.from({ length: 10 }, (_, b) => gaussianTheta(own, rng.split(`${b}`)));
  const states = runAscent(
    createAscent(played, dag, starts, { stepSize: practicalStepSize(agents), iterations }),
  );
  const reached = states.map(({ records }) => records[records.length - 1].suboptimality);
  expect(Math.abs(mean(reached) - subopt[0])).toBeLessThan(2 * Math.hypot(standardError(reached), subopt[1]));
});

test("the practical step size is that of the published code", () => {
  expect(practicalStepSize(2)).toBeCloseTo(0.02, 12);
  expect(practicalStepSize(3)).toBeCloseTo(0.026667, 6);
  expect(practicalStepSize(5)).toBeCloseTo(0.064, 12);
});

test("invalid options and starts are refused", () => {
  const refuse = (options: Partial<AscentOptions>) => () =>
    createAscent(game, full(2), [start], { stepSize: 0.1, iterations: 5, ...options });
  expect(refuse({ stepSize: 0 })).toThrow("stepSize is 0, expected a positive number");
  expect(refuse({ stepSize: Number.NaN })).toThrow("stepSize is NaN");
  expect(refuse({ iterations: 1.5 })).toThrow("iterations is 1.5, expected an integer of at least 0");
  expect(refuse({ lambda: -1 })).toThrow("lambda is -1");
  expect(refuse({ gradientNorm: Number.NaN })).toThrow("gradientNorm is NaN");
  expect(refuse({ recordAt: [6] })).toThrow("recordAt is 6, expected integers of 0..5");
  expect(() => createAscent(game, product(2), [start], { stepSize: 0.1, iterations: 5 })).toThrow(
    "start has 24 parameters, expected 16",
  );
  const states = runAscent(createAscent(game, full(2), [start], { stepSize: 0.1, iterations: 1 }));
  expect(() =>
    createAscent(game, full(2), states, { stepSize: 0.1, iterations: 1, optimiser: "adam" }),
  ).toThrow("start has 0 moments, expected 2");
});

test("steps that leave the numbers are refused with the iteration", () => {
  const wild = randomGame({ actions: [2, 2], states: 2 }, createRng("wild"));
  wild.reward.forEach((reward, k) => {
    wild.reward[k] = reward * 1e300;
  });
  const zero = new Float64Array(thetaLayout(wild, full(2)).size);
  const ascent = createAscent(wild, full(2), [zero], { stepSize: 1e300, iterations: 5 });
  expect(() => ascent.advance(5)).toThrow("start 0 diverged by iteration 5");
});
