import { describe, expect, test } from "vitest";
import { createRng } from "../random/index.ts";
import {
  add,
  compile,
  gradients,
  initialise,
  layoutOf,
  loadEngine,
  nn,
  sum,
  unpack,
} from "../tensor/index.ts";
import { type ActionDependencyOptions, actionDependency } from "./dependent-policy.ts";

const engine = await loadEngine();

const options: ActionDependencyOptions = { agents: 3, actions: 2, hidden: 4, embedding: 5 };
const { agents, actions, hidden, embedding } = options;
const rows = 6;
const dependency = actionDependency("dependency", options);
const layout = layoutOf(dependency.parameters);

/** Everything in float64, with drawn parameters and inputs, over `[rows / 2, 2]` decisions. */
async function example(seed: number) {
  const float = (...shape: number[]) => ({ dtype: "float64", shape }) as const;
  const leading = [rows / 2, 2, agents];
  const program = await compile(engine, {
    name: "dependent policy",
    inputs: {
      parameters: float(layout.size),
      logits: float(...leading, actions),
      features: float(...leading, hidden),
      played: float(...leading, actions),
      noise: float(...leading, actions),
      available: float(...leading, actions),
      epsilon: float(),
    },
    build({ parameters, logits, features, played, noise, available, epsilon }) {
      const views = unpack(parameters, layout);
      const value = dependency.apply(views, logits, features, played);
      const decision = { logits, features, noise };
      const drawn = dependency.draw(views, decision);
      const [dLogits, dFeatures, dPlayed] = gradients(sum(value), [logits, features, played]);
      return {
        results: {
          value,
          drawn,
          explored: dependency.draw(views, { ...decision, epsilon }),
          masked: dependency.draw(views, { ...decision, available }),
          dLogits,
          dFeatures,
          dPlayed,
          dDrawn: gradients(add(sum(drawn), sum(value)), [features])[0],
        },
      };
    },
  });
  const { inputs } = program;
  const rng = createRng(seed);
  inputs.parameters.set(initialise(layout, rng));
  // Large, so that what one agent does turns what others do.
  for (let k = 0; k < layout.size; k++) inputs.parameters[k] *= 5;
  rng.fillNormal(inputs.logits);
  rng.fillNormal(inputs.features);
  rng.fillGumbel(inputs.noise);
  inputs.available.fill(1);
  for (let k = 0; k < rows * agents; k++) inputs.played[k * actions + rng.integer(actions)] = 1;
  const run = async () => {
    await program.run();
    return Object.fromEntries(
      Object.entries(program.results).map(([name, values]) => [
        name,
        Float64Array.from(values as Float64Array),
      ]),
    ) as Record<keyof typeof program.results, Float64Array>;
  };
  return { inputs, run };
}

type Example = Awaited<ReturnType<typeof example>>;

/** One agent's dependent logits in a row, number by number, given one-hot actions of the team. */
function slowly({ inputs }: Example, row: number, agent: number, played: ArrayLike<number>): number[] {
  const parameter = (name: string) => {
    const index = layout.parameters.findIndex((each) => each.name === `dependency/${name}`);
    return inputs.parameters.subarray(layout.offsets[index]);
  };
  const sums = new Array<number>(embedding).fill(0);
  for (let j = 0; j < agent; j++) {
    const input: number[] = [0, 0, 0].map((_, k) => (k === j ? 1 : 0));
    for (let a = 0; a < actions; a++) input.push(played[(row * agents + j) * actions + a]);
    for (let e = 0; e < embedding; e++) {
      const x = input.reduce(
        (total, value, k) => total + value * parameter("embed/w")[k * embedding + e],
        parameter("embed/b")[e],
      );
      sums[e] += x > 0 ? x : Math.exp(x) - 1;
    }
  }
  const at = row * agents + agent;
  const features = [
    ...inputs.features.subarray(at * hidden, (at + 1) * hidden),
    ...sums.map((x) => x / agents),
  ];
  return Array.from(
    { length: actions },
    (_, a) =>
      inputs.logits[at * actions + a] +
      features.reduce(
        (total, value, k) => total + value * parameter("head/w")[k * actions + a],
        parameter("head/b")[a],
      ),
  );
}

const changed = (before: Float64Array, after: Float64Array): boolean[] =>
  Array.from({ length: agents }, (_, i) =>
    before.some((value, k) => Math.floor(k / actions) % agents === i && value !== after[k]),
  );

describe("what depends on earlier agents' actions", () => {
  test("equals a calculation number by number", async () => {
    const it = await example(1);
    const { value } = await it.run();
    for (let row = 0; row < rows; row++) {
      for (let i = 0; i < agents; i++) {
        for (const [a, expected] of slowly(it, row, i, it.inputs.played).entries()) {
          expect(value[(row * agents + i) * actions + a]).toBeCloseTo(expected, 10);
        }
      }
    }
  });

  test.each([0, 1, 2])("the action of agent %i moves later agents only", async (agent) => {
    const it = await example(2);
    const before = (await it.run()).value;
    for (let row = 0; row < rows; row++) {
      for (let a = 0; a < actions; a++) {
        const at = (row * agents + agent) * actions + a;
        it.inputs.played[at] = it.inputs.played[at] === 0 ? 1 : 0;
      }
    }
    const after = (await it.run()).value;
    expect(changed(before, after)).toEqual([false, agent < 1, agent < 2]);
  });

  test("gradients reach the features, never the independent logits", async () => {
    const { dLogits, dFeatures, dPlayed, dDrawn } = await (await example(3)).run();
    expect([...dLogits].every((value) => value === 0)).toBe(true);
    expect(Math.min(...dFeatures.map(Math.abs))).toBeGreaterThan(1e-3);
    expect(changed(dPlayed, new Float64Array(dPlayed.length))).toEqual([true, true, false]);
    // Drawn actions have none of their own.
    expect(dDrawn).toEqual(dFeatures);
  });
});

describe("drawing one agent after the other", () => {
  test("each takes its largest noisy logit, given what those before it drew", async () => {
    const it = await example(4);
    const { drawn } = await it.run();
    let turned = 0;
    for (let row = 0; row < rows; row++) {
      for (let i = 0; i < agents; i++) {
        const at = (row * agents + i) * actions;
        const best = (logits: readonly number[]): number => {
          const noisy = logits.map((logit, a) => logit + it.inputs.noise[at + a]);
          return noisy.indexOf(Math.max(...noisy));
        };
        const action = best(slowly(it, row, i, drawn));
        expect([...drawn.subarray(at, at + actions)]).toEqual([0, 1].map((a) => (a === action ? 1 : 0)));
        if (best(slowly(it, row, i, new Float64Array(drawn.length))) !== action) turned++;
      }
    }
    expect(turned).toBeGreaterThan(0);
  });

  test("never an unavailable action; with epsilon 1 as the noise says alone", async () => {
    const it = await example(5);
    const { drawn } = await it.run();
    for (let k = 0; k < drawn.length; k++) it.inputs.available[k] = 1 - drawn[k];
    it.inputs.epsilon[0] = 1;
    const { masked, explored } = await it.run();
    expect([...masked]).toEqual([...drawn].map((one) => 1 - one));
    const { noise } = it.inputs;
    expect([...explored]).toEqual([...noise].map((value, k) => (value > noise[k ^ 1] ? 1 : 0)));
    it.inputs.epsilon[0] = 0;
    expect((await it.run()).explored).toEqual(drawn);
  });
});

test("parameters of the dependency of Top-K with the settings of the paper", () => {
  const { parameters } = actionDependency("d", { agents: 6, actions: 2, hidden: 64, embedding: 64 });
  expect(nn.parameterCount(parameters)).toBe((2 + 6) * 64 + 64 + 128 * 2 + 2);
});
