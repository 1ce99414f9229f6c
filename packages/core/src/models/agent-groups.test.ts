import { expect, test } from "vitest";
import { createRng } from "../random/index.ts";
import { gradientError } from "../tensor/gradient-check.ts";
import {
  compile,
  concat,
  flattened,
  initialise,
  layoutOf,
  loadEngine,
  mul,
  namedArrays,
  unpack,
  variable,
} from "../tensor/index.ts";
import { agentGroups, agentNetworks } from "./agent-groups.ts";
import { actionRows, asColumns, joinRows, observationRows, selectRows, stateRows } from "./agent-rows.ts";

const engine = await loadEngine();
const sizes = [
  { inputs: 3, outputs: 2 },
  { inputs: 2, outputs: 1 },
  { inputs: 3, outputs: 2 },
  { inputs: 3, outputs: 1 },
];

test("agents of equal sizes are a group, in the order in which sizes occur", () => {
  expect(agentGroups(sizes)).toEqual([
    { agents: [0, 2], inputs: 3, outputs: 2 },
    { agents: [1], inputs: 2, outputs: 1 },
    { agents: [3], inputs: 3, outputs: 1 },
  ]);
});

test("large groups are cut into equal parts", () => {
  const groups = agentGroups(new Array(54).fill(sizes[0]));
  expect(groups.map(({ agents }) => agents.length)).toEqual([18, 18, 18]);
  expect(groups.flatMap(({ agents }) => agents)).toEqual(Array.from({ length: 54 }, (_, agent) => agent));
});

/** Networks with drawn parameters, biases too, applied to drawn inputs, in float64; and the numbers of each agent. */
async function applied(hidden: readonly number[], batch: number) {
  const networks = agentNetworks("net", { sizes, hidden });
  const layout = layoutOf(networks.parameters);
  const values = new Float64Array(layout.size);
  createRng("values").fillNormal(values);
  const program = await compile(engine, {
    name: "apply",
    inputs: Object.fromEntries(
      networks.groups.map(({ agents, inputs }, group) => [
        `x${group}`,
        { dtype: "float64", shape: [agents.length, inputs, batch] } as const,
      ]),
    ),
    variables: { parameters: variable("net", "float64", [layout.size], values) },
    build(leaves) {
      const inputs = networks.groups.map((_, group) => leaves[`x${group}`]);
      const views = unpack(leaves.parameters, layout);
      const steps = inputs.map((x, group) =>
        networks.beyondFirst(views, group, networks.layer(views, group, 0, x)),
      );
      return {
        results: Object.fromEntries([
          ...networks.apply(views, inputs).map((output, group) => [`y${group}`, output] as const),
          ...steps.map((output, group) => [`steps${group}`, output] as const),
        ]),
      };
    },
  });
  for (const [name, input] of Object.entries(program.inputs))
    createRng(name).fillNormal(input as Float64Array);
  await program.run();
  return {
    networks,
    ofAgents: namedArrays(values, layoutOf(networks.parametersOfAgents)),
    inputs: program.inputs as Record<string, Float64Array>,
    results: program.results as Record<string, Float64Array>,
  };
}

test.each([[[]], [[4]], [[5, 4]]])("each agent's network is its own, hidden layers %j", async (hidden) => {
  const batch = 3;
  const { networks, ofAgents, inputs, results } = await applied(hidden, batch);
  for (const [group, { agents, inputs: width, outputs }] of networks.groups.entries()) {
    for (const [place, agent] of agents.entries()) {
      for (let b = 0; b < batch; b++) {
        let values = Array.from(
          { length: width },
          (_, k) => inputs[`x${group}`][(place * width + k) * batch + b],
        );
        for (let layer = 0; layer <= hidden.length; layer++) {
          const { shape, data } = ofAgents[`net/${agent}/${layer}/w`];
          const biases = ofAgents[`net/${agent}/${layer}/b`].data;
          expect(shape).toEqual([biases.length, values.length]);
          const into = values;
          values = [...biases].map((bias, to) =>
            into.reduce((sum, value, from) => sum + value * data[to * into.length + from], bias),
          );
          if (layer < hidden.length) values = values.map((value) => Math.max(0, value));
        }
        for (const [k, value] of values.entries()) {
          for (const way of ["y", "steps"]) {
            expect(results[`${way}${group}`][(place * outputs + k) * batch + b]).toBeCloseTo(value, 10);
          }
        }
      }
    }
  }
});

test("first weights are Glorot's for each agent, those of the output layer times the gain; biases are zero", () => {
  const many = new Array(200).fill({ inputs: 2, outputs: 4 });
  const networks = agentNetworks("net", { sizes: many, hidden: [10], outputGain: 0.01 });
  const arrays = namedArrays(
    initialise(layoutOf(networks.parameters), createRng(1)),
    layoutOf(networks.parametersOfAgents),
  );
  const largest = (layer: number, kind: string): number =>
    Math.max(...many.flatMap((_, agent) => [...arrays[`net/${agent}/${layer}/${kind}`].data]).map(Math.abs));
  expect(largest(0, "w") / Math.sqrt(6 / 12)).toBeCloseTo(1, 2);
  expect(largest(0, "w")).toBeLessThan(Math.sqrt(6 / 12));
  expect(largest(1, "w") / (0.01 * Math.sqrt(6 / 14))).toBeCloseTo(1, 2);
  expect(largest(0, "b") + largest(1, "b")).toBe(0);
  expect(arrays["net/0/0/w"].data).not.toEqual(arrays["net/1/0/w"].data);
});

test("gradients", async () => {
  const networks = agentNetworks("net", { sizes, hidden: [3] });
  const layout = layoutOf(networks.parameters);
  const error = await gradientError(
    engine,
    {
      shapes: [[layout.size], ...networks.groups.map(({ agents, inputs }) => [agents.length, inputs, 2])],
      apply: (parameters, ...inputs) =>
        concat(networks.apply(unpack(parameters, layout), inputs).map(flattened), 0),
    },
    createRng(3),
  );
  expect(error).toBeLessThan(1e-7);
});

test("inputs that do not fit are refused by name", async () => {
  const networks = agentNetworks("net", { sizes, hidden: [3] });
  const layout = layoutOf(networks.parameters);
  await expect(() =>
    compile(engine, {
      name: "wrong",
      inputs: { x: { dtype: "float32", shape: [2, 4, 5] } },
      variables: { parameters: variable("net", "float32", [layout.size]) },
      build: ({ parameters, x }) => ({
        results: { y: networks.layer(unpack(parameters, layout), 0, 0, x) },
      }),
    }),
  ).rejects.toThrow("net: group 0 takes [2, 3, B], got [2, 4, 5]");
});

// ── Rows ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const spec = {
  id: "made up",
  version: 1,
  agents: 3,
  observationSize: 3,
  observationSizes: [3, 1, 2],
  stateSize: 4,
  stateSizes: [1, 2, 1],
  actions: [
    { kind: "simplex", size: 2 },
    { kind: "simplex", size: 3 },
    { kind: "simplex", size: 2 },
  ],
  horizon: 2,
  rewards: "individual",
  sharedObservation: false,
} as const;

test("rows are those of each agent, observations without their padding", () => {
  expect(observationRows(spec)).toEqual([[0, 1, 2], [3], [6, 7]]);
  expect(observationRows({ ...spec, observationSizes: undefined })).toEqual([
    [0, 1, 2],
    [3, 4, 5],
    [6, 7, 8],
  ]);
  expect(stateRows(spec)).toEqual([[0], [1, 2], [3]]);
  expect(actionRows(spec)).toEqual([
    [0, 1],
    [2, 3, 4],
    [5, 6],
  ]);
  expect(() => stateRows({ ...spec, stateSizes: undefined })).toThrow(
    "made up: states of single agents are unknown, expected an environment with stateSizes",
  );
});

test("what is selected for groups is joined in the order of rows", async () => {
  const rows = actionRows(spec);
  const groups = agentGroups(rows.map(({ length }) => ({ inputs: 1, outputs: length })));
  expect(groups.map(({ agents }) => agents)).toEqual([[0, 2], [1]]);
  const program = await compile(engine, {
    name: "rows",
    inputs: { samples: { dtype: "float32", shape: [2, 7] } },
    build({ samples }) {
      const table = asColumns(samples);
      const parts = groups.map(({ agents }) =>
        selectRows(
          table,
          agents.map((agent) => rows[agent]),
        ),
      );
      return {
        results: {
          first: parts[0],
          joined: joinRows(groups, parts, rows),
          partly: joinRows(groups.slice(1), parts.slice(1), rows, mul(table, -1)),
        },
      };
    },
  });
  program.inputs.samples.set([0, 1, 2, 3, 4, 5, 6, 10, 11, 12, 13, 14, 15, 16]);
  await program.run();
  expect([...(program.results.first as Float32Array)]).toEqual([0, 10, 1, 11, 5, 15, 6, 16]);
  expect([...(program.results.joined as Float32Array)]).toEqual([
    0, 10, 1, 11, 2, 12, 3, 13, 4, 14, 5, 15, 6, 16,
  ]);
  expect([...(program.results.partly as Float32Array)]).toEqual([
    -0, -10, -1, -11, 2, 12, 3, 13, 4, 14, -5, -15, -6, -16,
  ]);
});
