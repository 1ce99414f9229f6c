import { describe, expect, test } from "vitest";
import { createRng, type Rng } from "../random/index.ts";
import {
  compile,
  type Expr,
  gradients,
  initialise,
  layoutOf,
  loadEngine,
  mul,
  nn,
  sum,
  unpack,
} from "../tensor/index.ts";
import { type FopMixerOptions, fopMixer } from "./fop-mixer.ts";

const engine = await loadEngine();

const options: FopMixerOptions = {
  agents: 3,
  actions: 2,
  stateSize: 4,
  unitSize: 2,
  heads: 4,
  embedding: 3,
  hypernetHidden: 5,
};
const { agents, actions, stateSize, unitSize, heads, embedding, hypernetHidden } = options;
const rows = 2;
const mixer = fopMixer("mixer", options);
const layout = layoutOf(mixer.parameters);

/** The mixer in float64 with drawn parameters and inputs; `gradient` is that of `sum_r (r + 1) Q_r`. */
async function example(rng: Rng) {
  const float = (...shape: number[]) => ({ dtype: "float64", shape }) as const;
  const program = await compile(engine, {
    name: "fop mixer",
    inputs: {
      parameters: float(layout.size),
      utilities: float(rows, 1, agents),
      values: float(rows, 1, agents),
      states: float(rows, 1, stateSize),
      units: float(rows, 1, agents, unitSize),
      actions: float(rows, 1, agents, actions),
      factor: float(rows, 1),
    },
    build({ parameters, utilities, values, states, units, actions, factor }) {
      const views = unpack(parameters, layout);
      const { total, scoreSize } = mixer.mix(views, { utilities, values, states, units, actions });
      const { weights } = mixer.weights(views, states, units);
      const importance = mixer.importance(views, states, actions);
      const loss = sum(mul(total, factor));
      const wrt = [...layout.parameters.map(({ name }) => views[name]), utilities, values];
      const found = gradients(loss, wrt);
      const names = [...layout.parameters.map(({ name }) => name), "utilities", "values"];
      return {
        results: {
          total,
          scoreSize,
          weights,
          importance,
          ...Object.fromEntries(names.map((name, k) => [`d ${name}`, found[k]])),
        } as Record<string, Expr>,
      };
    },
  });
  const { inputs } = program;
  inputs.parameters.set(initialise(layout, rng));
  for (const values of [inputs.utilities, inputs.values, inputs.states, inputs.units]) rng.fillNormal(values);
  inputs.factor.set([1, 2]);
  for (let k = 0; k < rows * agents; k++) inputs.actions[k * actions + rng.integer(actions)] = 1;
  const result = (name: string) => Float64Array.from(program.results[name] as Float64Array);
  const run = async () => {
    await program.run();
    return { total: result("total"), weights: result("weights"), importance: result("importance") };
  };
  return { inputs, run, result };
}

type Example = Awaited<ReturnType<typeof example>>;

/** Weights, importance and score size, number by number as the paper writes them. */
function slowly({ inputs }: Example) {
  const parameter = (name: string) => {
    const index = layout.parameters.findIndex((each) => each.name === `mixer/${name}`);
    const shape = layout.parameters[index].shape;
    const size = shape.reduce((a, b) => a * b, 1);
    return inputs.parameters.subarray(layout.offsets[index], layout.offsets[index] + size);
  };
  const row = (values: Float64Array, r: number) => {
    const width = values.length / rows;
    return [...values.subarray(r * width, (r + 1) * width)];
  };
  const linear = (name: string, x: readonly number[], bias = true): number[] => {
    const w = parameter(`${name}/w`);
    const outputs = w.length / x.length;
    return Array.from({ length: outputs }, (_, o) =>
      x.reduce((total, value, k) => total + value * w[k * outputs + o], bias ? parameter(`${name}/b`)[o] : 0),
    );
  };
  const relu = (x: readonly number[]) => x.map((value) => Math.max(0, value));
  const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
  return Array.from({ length: rows }, (_, r) => {
    const [state, units, actions] = [row(inputs.states, r), row(inputs.units, r), row(inputs.actions, r)];
    const hidden = relu(linear("query/0", state));
    const weights = new Array<number>(agents).fill(1e-10);
    const importance = new Array<number>(agents).fill(0);
    let scoreSize = 0;
    for (let h = 0; h < heads; h++) {
      const scores = Array.from({ length: agents }, (_, i) => {
        const key = linear("key", units.slice(i * unitSize, (i + 1) * unitSize), false);
        let score = 0;
        for (let e = 0; e < embedding; e++) {
          let query = 0;
          for (let k = 0; k < hypernetHidden; k++) {
            const at = (h * hypernetHidden + k) * embedding + e;
            query += hidden[h * hypernetHidden + k] * parameter("query/1/w")[at];
          }
          score += query * key[h * embedding + e];
        }
        return score;
      });
      const exps = scores.map((score) => Math.exp(score / Math.sqrt(embedding)));
      const total = exps.reduce((a, b) => a + b);
      const ofState = Math.abs(linear("importance/state", state)[h]) + 1e-10;
      for (let i = 0; i < agents; i++) {
        weights[i] += exps[i] / total;
        scoreSize += scores[i] ** 2 / agents;
        const ofAgent = sigmoid(linear("importance/agent", state)[h * agents + i]);
        const ofAction = sigmoid(linear("importance/action", [...state, ...actions])[h * agents + i]);
        importance[i] += ofState * ofAgent * ofAction;
      }
    }
    const utilities = row(inputs.utilities, r);
    const values = row(inputs.values, r);
    let total = linear("value/1", relu(linear("value/0", state)))[0];
    for (let i = 0; i < agents; i++) {
      total += weights[i] * utilities[i] + (importance[i] - 1) * weights[i] * (utilities[i] - values[i]);
    }
    return { weights, importance, scoreSize, total };
  });
}

function expectClose(found: ArrayLike<number>, expected: readonly number[], digits = 10): void {
  expect(found).toHaveLength(expected.length);
  for (const [k, value] of expected.entries()) expect(found[k]).toBeCloseTo(value, digits);
}

describe("the FOP mixer", () => {
  test("equals a calculation number by number", async () => {
    const it = await example(createRng(1));
    const { total, weights, importance } = await it.run();
    const expected = slowly(it);
    expectClose(
      weights,
      expected.flatMap((row) => row.weights),
    );
    expectClose(
      importance,
      expected.flatMap((row) => row.importance),
    );
    expectClose(
      it.result("scoreSize"),
      expected.map((row) => row.scoreSize),
    );
    expectClose(
      total,
      expected.map((row) => row.total),
    );
  });

  test("has positive weights that sum to the number of heads", async () => {
    const it = await example(createRng(2));
    // Large scores: nearly one-hot heads.
    for (let k = 0; k < it.inputs.units.length; k++) it.inputs.units[k] *= 50;
    const { weights } = await it.run();
    for (let r = 0; r < rows; r++) {
      const row = weights.subarray(r * agents, (r + 1) * agents);
      expect(Math.min(...row)).toBeGreaterThan(0);
      expect(row.reduce((a, b) => a + b)).toBeCloseTo(4, 8);
    }
  });

  test("without advantages, the joint action changes the importance but not the value", async () => {
    const it = await example(createRng(3));
    it.inputs.values.set(it.inputs.utilities);
    const before = await it.run();
    for (let k = 0; k < it.inputs.actions.length; k++) it.inputs.actions[k] = 1 - it.inputs.actions[k];
    const after = await it.run();
    expect(after.importance).not.toEqual(before.importance);
    expectClose(after.total, [...before.total]);
    // With an advantage it does.
    it.inputs.values[0] -= 1;
    const worth = (await it.run()).total[0];
    for (let k = 0; k < it.inputs.actions.length; k++) it.inputs.actions[k] = 1 - it.inputs.actions[k];
    expect(Math.abs((await it.run()).total[0] - worth)).toBeGreaterThan(1e-3);
  });
});

describe("gradients of the FOP mixer", () => {
  /** `sum_r (r + 1) Q_r` with advantages (and the weights in them) kept as they are in `frozen`. */
  function surrogate(it: Example, frozen: readonly number[]): number {
    return slowly(it).reduce((loss, { weights, importance, total }, r) => {
      let frozenTotal = total;
      for (let i = 0; i < agents; i++) {
        const at = r * agents + i;
        const advantage = weights[i] * (it.inputs.utilities[at] - it.inputs.values[at]);
        frozenTotal += (importance[i] - 1) * (frozen[at] - advantage);
      }
      return loss + it.inputs.factor[r] * frozenTotal;
    }, 0);
  }

  const frozenAdvantages = (it: Example): number[] =>
    slowly(it).flatMap(({ weights }, r) =>
      weights.map((w, i) => w * (it.inputs.utilities[r * agents + i] - it.inputs.values[r * agents + i])),
    );

  function difference(it: Example, values: Float64Array, k: number, frozen?: readonly number[]): number {
    const height = () =>
      frozen === undefined
        ? slowly(it).reduce((loss, { total }, r) => loss + it.inputs.factor[r] * total, 0)
        : surrogate(it, frozen);
    const centre = values[k];
    values[k] = centre + 1e-5;
    const above = height();
    values[k] = centre - 1e-5;
    const below = height();
    values[k] = centre;
    return (above - below) / 2e-5;
  }

  test("are those with the advantages held fixed, and only the importance feels them", async () => {
    const it = await example(createRng(4));
    await it.run();
    const frozen = frozenAdvantages(it);
    for (const [index, { name, shape }] of layout.parameters.entries()) {
      const found = it.result(`d ${name}`);
      const size = shape.reduce((a, b) => a * b, 1);
      let [withFrozen, withMoving] = [0, 0];
      for (let k = 0; k < size; k++) {
        const at = layout.offsets[index] + k;
        withFrozen = Math.max(
          withFrozen,
          Math.abs(found[k] - difference(it, it.inputs.parameters, at, frozen)),
        );
        withMoving = Math.max(withMoving, Math.abs(found[k] - difference(it, it.inputs.parameters, at)));
      }
      expect(withFrozen, name).toBeLessThan(1e-7);
      // The attention's parameters would have another gradient through the advantages; all others feel no difference.
      if (/query|key/.test(name)) expect(withMoving, name).toBeGreaterThan(1e-3);
      else expect(withMoving, name).toBeLessThan(1e-7);
      if (/importance/.test(name)) expect(Math.max(...found.map(Math.abs)), name).toBeGreaterThan(1e-4);
    }
  });

  test("of a utility is its weight, of a value nothing", async () => {
    const it = await example(createRng(5));
    const { weights } = await it.run();
    expectClose(
      it.result("d utilities"),
      [...weights].map((w, k) => w * it.inputs.factor[Math.floor(k / agents)]),
    );
    expect([...it.result("d values")]).toEqual(new Array(rows * agents).fill(0));
  });
});

test("the FOP mixer of Top-K with the settings of the paper", () => {
  const { parameters } = fopMixer("mixer", {
    agents: 6,
    actions: 2,
    stateSize: 6,
    unitSize: 1,
    heads: 4,
    embedding: 32,
    hypernetHidden: 64,
  });
  const query = 4 * (6 * 64 + 64 + 64 * 32);
  const importance = 4 * (6 + 1 + 6 * 6 + 6 + (6 + 12) * 6 + 6);
  const value = 6 * 32 + 32 + 32 + 1;
  expect(nn.parameterCount(parameters)).toBe(query + 4 * 32 + importance + value);
});
