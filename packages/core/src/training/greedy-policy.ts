import type { EnvSpec } from "../envs/index.ts";
import { exploreUniformly, type SegmentShape } from "../learn/index.ts";
import {
  argMax,
  cast,
  compile,
  type Engine,
  type Expr,
  float32,
  frozen,
  type Layout,
  maskLogits,
  type Shape,
  trace,
  unpack,
  type Variable,
  type Views,
} from "../tensor/index.ts";
import type { JointPolicy } from "./joint-policy.ts";

/** What a greedy policy is made of. */
export interface GreedyPolicyOptions {
  /** Of the algorithm, for messages. */
  readonly name: string;
  readonly spec: EnvSpec;
  readonly shape: Pick<SegmentShape, "actions" | "masked">;
  /** The parameters that `step` reads. */
  readonly network: { readonly vector: Variable; readonly layout: Layout };
  /**
   * What agents remember between steps, as shapes behind the axis of environments, for example `hidden` `[N, H]`. The
   * name `lastAction`, `[N, A]`, is for one-hot last actions, which the policy writes itself.
   */
  readonly memory: Readonly<Record<string, Shape>>;
  /**
   * Utilities `[B, N, A]` and the next memory by name, all but `lastAction`.
   *
   * @param now `observations` `[B, N, O]`, `available` `[B, N, A]` where there are masks, and the memory
   */
  step(
    views: Views,
    now: PolicyInputs,
  ): { readonly utilities: Expr; readonly memory: Readonly<Record<string, Expr>> };
}

type PolicyInputs = { readonly observations: Expr } & Readonly<Record<string, Expr>>;

export interface GreedyPolicy {
  /** The policy for `size` environments: epsilon-greedy when told to explore. */
  create(size: number): Promise<JointPolicy>;
  /**
   * An ONNX file for one environment with the present parameters inside. Inputs: `observations` `[1, N, O]`,
   * `available` `[1, N, A]` where there are masks, and the memory; results: `actions` `[1, N]`, `utilities`
   * `[1, N, A]`, and the next memory as `next/<name>`.
   */
  export(): Uint8Array;
}

/**
 * Every agent plays the available action of largest utility, the first of equals; to explore, each agent independently
 * plays a uniform available action instead with probability epsilon.
 */
export function greedyPolicy(engine: Engine, options: GreedyPolicyOptions): GreedyPolicy {
  const { name, spec, shape, network, step } = options;
  const { agents, observationSize } = spec;
  const memoryNames = Object.keys(options.memory);
  const remembersActions = memoryNames.includes("lastAction");

  const inputs = (size: number) => ({
    observations: float32(size, agents, observationSize),
    ...(shape.masked ? { available: float32(size, agents, shape.actions) } : {}),
    ...Object.fromEntries(memoryNames.map((name) => [name, float32(size, ...options.memory[name])])),
  });
  const act = (parameters: Expr, leaves: PolicyInputs) => {
    const { utilities, memory } = step(unpack(parameters, network.layout), leaves);
    const allowed = shape.masked ? maskLogits(utilities, leaves.available) : utilities;
    const actions = cast(argMax(allowed, -1), "int32");
    return { actions, utilities, memory };
  };

  return {
    async create(size) {
      const program = await compile(engine, {
        name: `${name}: act`,
        inputs: inputs(size),
        variables: { parameters: network.vector },
        build(leaves) {
          const { actions, memory } = act(leaves.parameters, leaves);
          return { results: { actions, ...nextMemory(memory) } };
        },
      });
      const read: Readonly<Record<string, Float32Array>> = program.inputs;
      const results: Readonly<Record<string, unknown>> = program.results;
      const actions = program.results.actions as Int32Array;
      const memory = Object.fromEntries(memoryNames.map((name) => [name, read[name]]));
      const written = Object.entries(memory).flatMap(([name, now]) =>
        name === "lastAction" ? [] : { now, next: results[`next/${name}`] as Float32Array },
      );
      return {
        observations: program.inputs.observations,
        available: shape.masked ? read.available : undefined,
        actions,
        memory,
        async choose(exploration) {
          await program.run();
          for (const { now, next } of written) now.set(next);
          if (exploration !== undefined) {
            exploreUniformly(spec, actions, read.available, exploration.epsilon, exploration.rng);
          }
          if (remembersActions) writeOneHot(actions, memory.lastAction);
        },
        dispose: program.dispose,
      };
    },
    export() {
      const { vector } = network;
      const parameters = frozen(vector);
      return trace({
        name: `${name}: act`,
        inputs: inputs(1),
        variables: {},
        build(leaves) {
          const { actions, utilities, memory } = act(parameters, leaves);
          return { results: { actions, utilities, ...nextMemory(memory) } };
        },
      }).onnx;
    },
  };
}

const nextMemory = (memory: Readonly<Record<string, Expr>>): Record<`next/${string}`, Expr> =>
  Object.fromEntries(Object.entries(memory).map(([name, value]) => [`next/${name}`, value]));

/** Rows of zeros with a one at each action: `[K] -> [K, A]`. */
export function writeOneHot(actions: Int32Array, out: Float32Array): void {
  const width = out.length / actions.length;
  out.fill(0);
  for (let k = 0; k < actions.length; k++) out[k * width + actions[k]] = 1;
}
