import { expect, test } from "vitest";
import { createRng } from "../random/index.ts";
import { compile, initialise, layoutOf, loadEngine, nn, unpack, variable } from "../tensor/index.ts";
import { type AgentTrunkOptions, agentNetwork, hasMemory } from "./agent-network.ts";

const engine = await loadEngine();

const base: AgentTrunkOptions = {
  agents: 3,
  observationSize: 2,
  actions: 4,
  hidden: 5,
  recurrent: true,
  lastAction: true,
  agentId: true,
};
const [moments, size] = [4, 2];
const { agents, observationSize, actions, hidden } = base;

/** A network with drawn parameters, its utilities over moments, and the same found step by step. */
async function both(options: AgentTrunkOptions) {
  const network = agentNetwork("agent", options);
  const layout = layoutOf(network.parameters);
  const parameters = variable("agent", "float32", [layout.size], initialise(layout, createRng(1)));
  const over = await compile(engine, {
    name: "over moments",
    inputs: {
      observations: { dtype: "float32", shape: [moments, size, agents, observationSize] },
      actions: { dtype: "int32", shape: [moments - 1, size, agents] },
    },
    variables: { parameters },
    build: (leaves) => ({ results: network.overMoments(unpack(leaves.parameters, layout), leaves) }),
  });
  const step = await compile(engine, {
    name: "step",
    inputs: {
      observations: { dtype: "float32", shape: [size, agents, observationSize] },
      hidden: { dtype: "float32", shape: [size, agents, hidden] },
      lastAction: { dtype: "float32", shape: [size, agents, actions] },
    },
    variables: { parameters },
    build(leaves) {
      const remembered = {
        observations: leaves.observations,
        ...(options.recurrent ? { hidden: leaves.hidden } : {}),
        ...(options.lastAction ? { lastAction: leaves.lastAction } : {}),
      };
      const { utilities, memory } = network.step(unpack(leaves.parameters, layout), remembered);
      return { results: { utilities, next: memory.hidden ?? leaves.hidden } };
    },
  });
  const rng = createRng(2);
  const { observations, actions: played } = over.inputs;
  rng.fillNormal(observations);
  for (let k = 0; k < played.length; k++) played[k] = rng.integer(actions);

  const stepped: number[] = [];
  const width = size * agents;
  for (let t = 0; t < moments; t++) {
    const row = width * observationSize;
    step.inputs.observations.set(observations.subarray(t * row, (t + 1) * row));
    step.inputs.lastAction.fill(0);
    for (let k = 0; k < width && t > 0; k++) {
      step.inputs.lastAction[k * actions + played[(t - 1) * width + k]] = 1;
    }
    await step.run();
    step.inputs.hidden.set(step.results.next as Float32Array);
    stepped.push(...(step.results.utilities as Float32Array));
  }
  await over.run();
  return { network, over, stepped };
}

const variants: readonly Partial<AgentTrunkOptions>[] = [
  {},
  { agentId: false, lastAction: false },
  { recurrent: false },
  { recurrent: false, lastAction: false, agentId: false },
  { recurrent: false, lastAction: false, fullObs: true },
];

test.each(variants)("utilities over moments are those found step by step: %o", async (variant) => {
  const { over, stepped } = await both({ ...base, ...variant });
  const utilities = over.results.utilities as Float32Array;
  expect(utilities).toHaveLength(moments * size * agents * actions);
  for (const [k, value] of stepped.entries()) expect(utilities[k]).toBeCloseTo(value, 5);
});

test("an agent's utilities depend on its own observation only, unless all are shared", async () => {
  for (const fullObs of [false, true]) {
    const { over } = await both({ ...base, recurrent: false, lastAction: false, fullObs });
    const utilities = over.results.utilities as Float32Array;
    const before = utilities.slice();
    over.inputs.observations[0] += 1;
    await over.run();
    const changed = Array.from({ length: agents }, (_, i) =>
      [0, 1, 2, 3].some((a) => utilities[i * actions + a] !== before[i * actions + a]),
    );
    expect(changed).toEqual([true, fullObs, fullObs]);
  }
});

test("what agents remember, and how many numbers a network learns", () => {
  const described = (options: Partial<AgentTrunkOptions>) => {
    const { trunk, parameters } = agentNetwork("agent", { ...base, hidden: 64, ...options });
    return { ...trunk.memory, parameters: nn.parameterCount(parameters) };
  };
  const head = 64 * 4 + 4;
  const gru = 2 * (64 * 192 + 192);
  expect(described({})).toEqual({
    hidden: [3, 64],
    lastAction: [3, 4],
    parameters: (2 + 4 + 3) * 64 + 64 + gru + head,
  });
  expect(described({ recurrent: false, agentId: false })).toEqual({
    lastAction: [3, 4],
    parameters: (2 + 4) * 64 + 64 + (64 * 64 + 64) + head,
  });
  expect(described({ recurrent: false, lastAction: false, fullObs: true })).toEqual({
    parameters: (3 * 2 + 3) * 64 + 64 + (64 * 64 + 64) + head,
  });
  expect(hasMemory({ recurrent: true, lastAction: false })).toBe(true);
  expect(hasMemory({ recurrent: false, lastAction: true })).toBe(true);
  expect(hasMemory({ recurrent: false, lastAction: false })).toBe(false);
});
