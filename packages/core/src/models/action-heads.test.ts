import { expect, test } from "vitest";
import type { ActionSpace, EnvSpec } from "../envs/index.ts";
import { createRng } from "../random/index.ts";
import { gradientError } from "../tensor/gradient-check.ts";
import { compile, loadEngine } from "../tensor/index.ts";
import { type ActionHeadOptions, actionHead } from "./action-heads.ts";

const engine = await loadEngine();

const specOf = (...actions: ActionSpace[]): EnvSpec => ({
  id: "made-up",
  version: 1,
  agents: actions.length,
  observationSize: 1,
  stateSize: 1,
  actions,
  horizon: 2,
  rewards: "individual",
  sharedObservation: false,
});

const box = (low: number, high: number, size = 1): ActionSpace => ({ kind: "box", size, low, high });
const shares = (size: number): ActionSpace => ({ kind: "simplex", size });

/** Actions of all agents, which are one group, for one sample. */
async function actions(
  spec: EnvSpec,
  options: ActionHeadOptions,
  last: readonly number[],
  noise?: readonly number[],
  dtype: "float32" | "float64" = "float64",
): Promise<number[]> {
  const head = actionHead("made", spec, options);
  const width = last.length / spec.agents;
  const agents = spec.actions.map((_, agent) => agent);
  const shape = [spec.agents, width, 1];
  const program = await compile(engine, {
    name: "head",
    inputs: { last: { dtype, shape }, noise: { dtype, shape } },
    build: (leaves) => ({
      results: {
        actions: head.apply(
          { agents, inputs: 1, outputs: width },
          leaves.last,
          noise === undefined ? undefined : leaves.noise,
        ),
      },
    }),
  });
  (program.inputs.last as Float64Array).set(last);
  if (noise !== undefined) (program.inputs.noise as Float64Array).set(noise);
  await program.run();
  const results = [...(program.results.actions as Float64Array)];
  await program.dispose();
  return results;
}

test("box: tanh over each agent's range; noise is a share of half the range and stays inside", async () => {
  const spec = specOf(box(-30, 30), box(0, 4));
  const [first, second] = await actions(spec, { head: "auto" }, [0.5, -1]);
  expect(first).toBeCloseTo(30 * Math.tanh(0.5), 12);
  expect(second).toBeCloseTo(2 + 2 * Math.tanh(-1), 12);
  const noisy = await actions(spec, { head: "box", deviation: 0.2 }, [0.5, -1], [-1.5, 0.25]);
  expect(noisy[0]).toBeCloseTo(30 * Math.tanh(0.5) - 9, 12);
  expect(noisy[1]).toBeCloseTo(2 + 2 * Math.tanh(-1) + 0.1, 12);
  expect(await actions(spec, { head: "box" }, [5, -5], [4, -4])).toEqual([30, 0]);
});

test("box: an action at a bound that float32 cannot hold lies within", async () => {
  const [low, high] = [-0.1, 0.7];
  expect(Math.fround(low)).toBeLessThan(low);
  for (const [last, noise] of [
    [-40, -9],
    [40, 9],
    [-40, 0],
    [40, 0],
  ]) {
    const [action] = await actions(specOf(box(low, high)), { head: "box" }, [last], [noise], "float32");
    expect(action).toBeGreaterThanOrEqual(low);
    expect(action).toBeLessThanOrEqual(high);
    expect(action).toBeCloseTo(last < 0 ? low : high, 6);
  }
});

test.each([
  ["simplex-gauss", "normal", 0.3],
  ["simplex", "gumbel", 1],
] as const)("%s: a softmax of logits with %s noise times %d", async (head, kind, deviation) => {
  const spec = specOf(shares(3), shares(3));
  expect(actionHead("made", spec, { head }).noise).toBe(kind);
  const logits = [1, -2, 0.5, 300, 299, -300];
  const noise = [0.1, 2, -1, 0, -1, 3];
  const softmax = (values: readonly number[]): number[] => {
    const powers = values.map((value) => Math.exp(value - Math.max(...values)));
    return powers.map((power) => power / powers.reduce((sum, each) => sum + each));
  };
  const close = (found: readonly number[], expected: readonly number[]): void => {
    for (const [k, value] of expected.entries()) expect(found[k]).toBeCloseTo(value, 12);
  };
  close(await actions(spec, { head }, logits), [...softmax(logits.slice(0, 3)), ...softmax(logits.slice(3))]);
  const moved = logits.map((logit, k) => logit + deviation * noise[k]);
  close(await actions(spec, { head }, logits, noise), [
    ...softmax(moved.slice(0, 3)),
    ...softmax(moved.slice(3)),
  ]);
});

test("simplex-gauss is what auto takes for shares", () => {
  expect(actionHead("made", specOf(shares(2)), { head: "auto" }).kind).toBe("simplex-gauss");
  expect(actionHead("made", specOf(box(0, 1)), { head: "auto" }).kind).toBe("box");
});

test.each(["box", "simplex"] as const)("gradients of %s, with noise", async (head) => {
  const spec = head === "box" ? specOf(box(-3, 5, 3), box(0, 1, 3)) : specOf(shares(3), shares(3));
  const { apply } = actionHead("made", spec, { head });
  const shape = [2, 3, 4];
  const error = await gradientError(
    engine,
    {
      shapes: [shape, shape],
      apply: (last, noise) => apply({ agents: [0, 1], inputs: 1, outputs: 3 }, last, noise),
    },
    createRng(1),
  );
  expect(error).toBeLessThan(1e-7);
});

test("heads that do not fit the actions are refused", () => {
  const refusal = (spec: EnvSpec, head: ActionHeadOptions["head"]) => () =>
    actionHead("mastac", spec, { head });
  expect(refusal(specOf(shares(2), shares(3)), "box")).toThrow(
    "mastac.head: actions of agent 0 of made-up are a simplex, got box, expected simplex-gauss or simplex",
  );
  expect(refusal(specOf(box(0, 1), shares(3)), "auto")).toThrow(
    "mastac.head: actions of agent 1 of made-up are a simplex, got box, expected simplex-gauss or simplex",
  );
  expect(refusal(specOf(box(0, 1)), "simplex")).toThrow(
    "mastac.head: actions of agent 0 of made-up are a box, got simplex, expected box",
  );
  expect(refusal(specOf(shares(2), { kind: "discrete", n: 2 }), "auto")).toThrow(
    "mastac: actions of agent 1 of made-up are discrete, expected real numbers (box or simplex)",
  );
});
