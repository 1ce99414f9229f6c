import { type EnvFactory, vectorise } from "../envs/index.ts";
import { writeMasks } from "../learn/index.ts";
import { type ActionGraphNetwork, type AttentionReport, attentionReport } from "../models/index.ts";
import type { Rng } from "../random/index.ts";
import { compile, type Engine, float32, type Layout, unpack, type Variable } from "../tensor/index.ts";
import { endedEpisode } from "./algorithm.ts";
import { forget, type JointPolicy } from "./joint-policy.ts";

/** What is needed to watch a team's attention while it plays. */
interface Watched {
  readonly env: EnvFactory;
  readonly network: ActionGraphNetwork;
  readonly learned: { readonly vector: Variable; readonly layout: Layout };
  /** Makes the policy that plays. */
  createPolicy(size: number): Promise<JointPolicy>;
}

/**
 * Averages the attention weights of a network over moments of greedy play: at least `samples` of them, from as many whole
 * episodes as that takes, each beginning anew.
 */
export async function measureAttention(
  engine: Engine,
  { env, network, learned, createPolicy }: Watched,
  samples: number,
  rng: Rng,
): Promise<AttentionReport> {
  const { horizon } = env().spec;
  const copies = Math.ceil(samples / horizon);
  const batch = vectorise(env, copies, rng.split("environments"));
  const { agents, observationSize } = batch.spec;
  const policy = await createPolicy(copies);
  const masked = policy.available !== undefined;
  const actions = Math.max(...network.options.actionCounts);
  const memory = Object.entries(network.memory);
  const program = await compile(engine, {
    name: "attention",
    inputs: {
      observations: float32(copies, agents, observationSize),
      ...(masked ? { available: float32(copies, agents, actions) } : {}),
      ...Object.fromEntries(memory.map(([name, shape]) => [name, float32(copies, ...shape)])),
    },
    variables: { parameters: learned.vector },
    build: (leaves) => ({
      results: Object.fromEntries(
        network
          .attention(unpack(leaves.parameters, learned.layout), leaves)
          .map((weights, layer) => [`layer ${layer}`, weights]),
      ),
    }),
  });
  const inputs: Readonly<Record<string, Float32Array>> = program.inputs;
  const watched: Float32Array[][] = [];
  const available: Float32Array[] = [];
  try {
    for (let b = 0; b < copies; b++) forget(policy, b, copies);
    for (let step = 0; step < horizon; step++) {
      policy.observations.set(batch.observations);
      if (policy.available !== undefined) writeMasks(batch, policy.available);
      inputs.observations.set(batch.observations);
      if (masked) inputs.available.set(policy.available!);
      for (const [name] of memory) inputs[name].set(policy.memory[name]);
      await program.run();
      watched.push(Object.values(program.results).map((weights) => (weights as Float32Array).slice()));
      if (masked) available.push(policy.available!.slice());
      await policy.choose();
      batch.step(policy.actions);
      for (let b = 0; b < copies; b++) if (endedEpisode(batch, b)) forget(policy, b, copies);
    }
  } finally {
    await program.dispose();
    await policy.dispose();
  }
  const layers = watched[0].map((_, layer) => joined(watched.map((step) => step[layer])));
  return attentionReport(network.nodes, layers, copies * horizon, masked ? joined(available) : undefined);
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
