import type { EnvSpec } from "../envs/index.ts";
import type { SegmentShape } from "../learn/index.ts";
import {
  add,
  argMax,
  cast,
  compile,
  type Engine,
  type Expr,
  float32,
  frozen,
  type Layout,
  logSoftmax,
  maskLogits,
  pick,
  trace,
  unpack,
  type Variable,
  type Views,
} from "../tensor/index.ts";
import type { JointPolicy } from "./joint-policy.ts";

/** What a sampling policy is made of. */
export interface SamplingPolicyOptions {
  /** Of the algorithm, for messages. */
  readonly name: string;
  readonly spec: EnvSpec;
  readonly shape: Pick<SegmentShape, "actions" | "masked">;
  /** The parameters that `logits` reads. */
  readonly network: { readonly vector: Variable; readonly layout: Layout };
  /** Logits of all agents' actions `[S, N, A]`; what it says of unavailable actions does not matter. */
  logits(views: Views, team: TeamView): Expr;
}

/** What a team sees in `S` samples. */
interface TeamView {
  /** `[S, N, O]` */
  readonly observations: Expr;
  /** 1 for actions that may be played, where there are masks, `[S, N, A]`. */
  readonly available?: Expr;
}

/** A policy without memory that draws every agent's action from a distribution when told to explore. */
export interface SamplingPolicy extends JointPolicy {
  /** Result: of the action of every agent, `[B, N]`. */
  readonly logProbabilities: Float32Array;
}

export interface SamplingPolicies {
  /** The policy for `size` environments: it draws actions to explore, else plays the most likely ones. */
  create(size: number): Promise<SamplingPolicy>;
  /**
   * An ONNX file for one environment with the present parameters inside. Inputs: `observations` `[1, N, O]`, `noise`
   * `[1, N, A]`, standard Gumbel to draw actions and zeros for the most likely ones, and `available` `[1, N, A]` where
   * there are masks; results: `actions` `[1, N]`, `logProbabilities` `[1, N]`.
   */
  export(): Uint8Array;
}

/** Every agent draws its action by itself, given what all of them observe, from the softmax of its available actions' logits. */
export function samplingPolicy(engine: Engine, options: SamplingPolicyOptions): SamplingPolicies {
  const { name, spec, shape, network, logits } = options;
  const { agents, observationSize } = spec;

  const inputs = (size: number) => ({
    observations: float32(size, agents, observationSize),
    noise: float32(size, agents, shape.actions),
    ...(shape.masked ? { available: float32(size, agents, shape.actions) } : {}),
  });
  const draw = (parameters: Expr, { noise, ...team }: TeamView & { readonly noise: Expr }) => {
    const all = logits(unpack(parameters, network.layout), team);
    const { available } = team;
    const logProbabilities = logSoftmax(available === undefined ? all : maskLogits(all, available));
    const actions = cast(argMax(add(logProbabilities, noise), -1), "int32");
    return { results: { actions, logProbabilities: pick(logProbabilities, actions) } };
  };

  return {
    async create(size) {
      const program = await compile(engine, {
        name: `${name}: act`,
        inputs: inputs(size),
        variables: { parameters: network.vector },
        build: (leaves) => draw(leaves.parameters, leaves),
      });
      const { observations, noise, available } = program.inputs;
      return {
        observations,
        available: shape.masked ? (available as Float32Array) : undefined,
        actions: program.results.actions as Int32Array,
        logProbabilities: program.results.logProbabilities as Float32Array,
        memory: {},
        async choose(exploration) {
          if (exploration === undefined) noise.fill(0);
          else exploration.rng.fillGumbel(noise);
          await program.run();
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
        build: (leaves) => draw(parameters, leaves),
      }).onnx;
    },
  };
}
