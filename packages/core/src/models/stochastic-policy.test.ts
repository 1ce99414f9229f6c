import { expect, test } from "vitest";
import { createRng } from "../random/index.ts";
import { compile, exp, gradients, loadEngine, mul, sum } from "../tensor/index.ts";
import { drawActions, policyLogProbabilities, softValue } from "./stochastic-policy.ts";

const engine = await loadEngine();
const logits = [0, Math.log(3), Math.log(4)];

async function logProbabilities(of: { available?: readonly number[]; epsilon?: number }, scores = logits) {
  const program = await compile(engine, {
    name: "log-probabilities",
    inputs: {
      logits: { dtype: "float64", shape: [1, 3] },
      available: { dtype: "float64", shape: [1, 3] },
      epsilon: { dtype: "float64", shape: [] },
    },
    build(leaves) {
      const value = policyLogProbabilities(leaves.logits, {
        available: of.available && leaves.available,
        epsilon: of.epsilon === undefined ? undefined : leaves.epsilon,
      });
      const entropy = sum(mul(exp(value), value));
      return { results: { value, gradient: gradients(entropy, [leaves.logits])[0] } };
    },
  });
  program.inputs.logits.set(scores);
  program.inputs.available.set(of.available ?? []);
  program.inputs.epsilon[0] = of.epsilon ?? 0;
  await program.run();
  return {
    probabilities: [...(program.results.value as Float64Array)].map(Math.exp),
    gradient: [...(program.results.gradient as Float64Array)],
  };
}

function expectClose(found: ArrayLike<number>, expected: readonly number[]): void {
  expect(found).toHaveLength(expected.length);
  for (const [k, value] of expected.entries()) expect(found[k]).toBeCloseTo(value, 12);
}

test("probabilities by hand: a softmax, over available actions, mixed with their uniform distribution", async () => {
  expectClose((await logProbabilities({})).probabilities, [1 / 8, 3 / 8, 4 / 8]);
  expectClose((await logProbabilities({ available: [1, 0, 1] })).probabilities, [1 / 5, 1e-10, 4 / 5]);
  expectClose((await logProbabilities({ epsilon: 0.6 })).probabilities, [1 / 4, 7 / 20, 2 / 5]);
  expectClose(
    (await logProbabilities({ available: [1, 0, 1], epsilon: 0.5 })).probabilities,
    [0.35, 1e-10, 0.65],
  );
});

test("actions that cannot be played, or never are, do not spoil a gradient", async () => {
  const masked = await logProbabilities({ available: [1, 0, 1], epsilon: 0.5 });
  expect(masked.gradient[1]).toBe(0);
  expect(masked.gradient[0]).not.toBe(0);
  for (const epsilon of [0, undefined]) {
    const { probabilities, gradient } = await logProbabilities({ epsilon }, [0, 2000, -2000]);
    expect(probabilities.every(Number.isFinite)).toBe(true);
    expect(gradient.every(Number.isFinite)).toBe(true);
  }
  // Padding behind an episode has no available action at all.
  const { gradient } = await logProbabilities({ available: [0, 0, 0], epsilon: 0.1 });
  expect(gradient).toEqual([0, 0, 0]);
});

async function draws(count: number, available: readonly number[] | undefined) {
  const program = await compile(engine, {
    name: "draws",
    inputs: {
      logits: { dtype: "float32", shape: [1, 3] },
      noise: { dtype: "float32", shape: [count, 3] },
      available: { dtype: "float32", shape: [1, 3] },
    },
    build({ logits, noise, available: mask }) {
      const open = available && mask;
      const values = policyLogProbabilities(logits, { available: open });
      return { results: { actions: drawActions(values, noise, open) } };
    },
  });
  program.inputs.logits.set(logits);
  program.inputs.available.set(available ?? []);
  const shares = async () => {
    await program.run();
    const actions = [...(program.results.actions as unknown as BigInt64Array)].map(Number);
    return [0, 1, 2].map((a) => actions.filter((action) => action === a).length / count);
  };
  const greedy = await shares();
  createRng(1).fillGumbel(program.inputs.noise);
  return { greedy, drawn: await shares() };
}

test("actions are drawn in proportion to their probabilities, unavailable ones never", async () => {
  const { greedy, drawn } = await draws(20_000, undefined);
  expect(greedy).toEqual([0, 0, 1]);
  // Four standard errors.
  for (const [a, p] of [1 / 8, 3 / 8, 4 / 8].entries()) expect(Math.abs(drawn[a] - p)).toBeLessThan(0.0142);
  const masked = await draws(20_000, [1, 1, 0]);
  expect(masked.greedy).toEqual([0, 1, 0]);
  expect(masked.drawn[2]).toBe(0);
  expect(Math.abs(masked.drawn[0] - 1 / 4)).toBeLessThan(0.0123);
});

test("the soft value is the expected utility plus temperature times entropy, without overflow", async () => {
  const program = await compile(engine, {
    name: "soft value",
    inputs: {
      utilities: { dtype: "float64", shape: [2, 3] },
      temperature: { dtype: "float64", shape: [] },
    },
    build: ({ utilities, temperature }) => ({ results: { value: softValue(utilities, temperature) } }),
  });
  program.inputs.utilities.set([1, 2, -1, 900, 0, 0]);
  program.inputs.temperature[0] = 0.5;
  await program.run();
  const weights = [1, 2, -1].map((q) => Math.exp(q / 0.5));
  const total = weights.reduce((a, b) => a + b);
  const value = [1, 2, -1].reduce((sum, q, a) => {
    const p = weights[a] / total;
    return sum + p * (q - 0.5 * Math.log(p));
  }, 0);
  expectClose(program.results.value as Float64Array, [value, 900]);
});
