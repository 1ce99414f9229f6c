import { expect, test } from "vitest";
import { createRng } from "../random/index.ts";
import { compile, layoutOf, loadEngine, slice, unpack, variable } from "../tensor/index.ts";
import { agentNetworks } from "./agent-groups.ts";
import { sharedNetwork } from "./shared-network.ts";

const [agents, size] = [3, 5];
const sizes = { inputs: 2, outputs: 4 };
const options = { hidden: [6, 3] };
const shared = sharedNetwork("net", agents, sizes, options);

test("is one network, whose parameters are called by layer", () => {
  expect(shared.groups).toEqual([{ agents: [0, 1, 2], ...sizes }]);
  expect(shared.layers).toBe(3);
  expect(shared.parametersOfAgents.map(({ name, shape }) => [name, shape])).toEqual([
    ["net/0/w", [6, 2]],
    ["net/0/b", [6]],
    ["net/1/w", [3, 6]],
    ["net/1/b", [3]],
    ["net/2/w", [4, 3]],
    ["net/2/b", [4]],
  ]);
});

test("takes every agent's samples as a network of one agent takes them", async () => {
  const one = agentNetworks("net", { sizes: [sizes], ...options });
  const layout = layoutOf(shared.parameters);
  const values = new Float64Array(layout.size);
  createRng("values").fillNormal(values);
  const program = await compile(await loadEngine(), {
    name: "apply",
    inputs: { x: { dtype: "float64", shape: [agents, sizes.inputs, size] } },
    variables: { parameters: variable("net", "float64", [layout.size], values) },
    build({ x, parameters }) {
      const views = unpack(parameters, layout);
      const apart = [0, 1, 2].flatMap((agent) => {
        const [expected] = one.apply(views, [slice(x, 0, agent, agent + 1)]);
        const [alone] = shared.alone(agent).apply(views, [slice(x, 0, agent, agent + 1)]);
        return [[`expected${agent}`, expected] as const, [`alone${agent}`, alone] as const];
      });
      return {
        results: {
          all: shared.apply(views, [x])[0],
          layer: shared.layer(views, 0, 0, x),
          broadcast: one.layer(views, 0, 0, x),
          ...Object.fromEntries(apart),
        },
      };
    },
  });
  createRng("x").fillNormal(program.inputs.x);
  await program.run();
  const results = program.results as Record<string, Float64Array>;
  const width = sizes.outputs * size;
  const close = (found: Float64Array, expected: Float64Array): void => {
    expect(found).toHaveLength(expected.length);
    expect(Math.max(...found.map((value, k) => Math.abs(value - expected[k])))).toBeLessThan(1e-12);
  };
  for (const agent of [0, 1, 2]) {
    close(results.all.slice(agent * width, (agent + 1) * width), results[`expected${agent}`]);
    close(results[`alone${agent}`], results[`expected${agent}`]);
  }
  close(results.layer, results.broadcast);
  await program.dispose();
});
