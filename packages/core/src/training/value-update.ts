import { type Learnable, learnableWith, mostActions, segmentInputs } from "../learn/index.ts";
import type { Rng } from "../random/index.ts";
import {
  compile,
  type Engine,
  type Expr,
  float32,
  type InputSpec,
  type Parameter,
  unpack,
  type Views,
  variable,
} from "../tensor/index.ts";
import type { Experience } from "./double-q.ts";
import { trainMetrics } from "./metrics.ts";
import { type OffPolicyParts, type OffPolicyPlan, optimiserOptions } from "./off-policy.ts";

export interface ValueUpdateOptions {
  /** Of the algorithm: name of its parameter vector, and for messages. */
  readonly name: string;
  readonly plan: OffPolicyPlan;
  readonly config: Parameters<typeof optimiserOptions>[0];
  readonly parameters: readonly Parameter[];
  /** Inputs of the program beside the segments. */
  readonly inputs?: Readonly<Record<string, InputSpec>>;
  /**
   * What a gradient step makes smaller, and other scalars to report as `train/<name>`.
   *
   * @param online all parameters
   * @param target the same of the target network
   * @param more the inputs beside the segments
   */
  loss(
    online: Views,
    target: Views,
    experience: Experience,
    more: Readonly<Record<string, Expr>>,
  ): { readonly loss: Expr; readonly metrics: Readonly<Record<string, Expr>> };
}

/** Parameters with a target that follows them, and the gradient step that learns them. */
export interface ValueUpdate
  extends Pick<OffPolicyParts, "update" | "targets" | "variables" | "parameters" | "dispose"> {
  readonly network: Learnable<string>;
}

/**
 * New parameters, a target network that begins as their copy, and a program that takes one gradient step on the segments
 * of the plan: both networks, the loss, its gradient and the optimiser in a single run.
 *
 * @throws InputError when some agent's actions are not discrete
 */
export async function valueUpdate(
  engine: Engine,
  rng: Rng,
  { name, plan, config, parameters, inputs, loss }: ValueUpdateOptions,
): Promise<ValueUpdate> {
  mostActions(plan.batch.spec);
  const network = learnableWith<string>(name, parameters, optimiserOptions(config), rng);
  const { vector, layout } = network;
  const target = variable(`${name}/target`, "float32", vector.shape, vector.values as Float32Array);
  const program = await compile(engine, {
    name: `${name}: update`,
    inputs: { ...inputs, ...segmentInputs(plan.segments), learningRate: float32() },
    variables: { ...network.variables, parameters: vector, target },
    build(leaves) {
      const views = unpack(leaves.parameters, layout);
      const { loss: total, metrics } = loss(views, unpack(leaves.target, layout), leaves, leaves);
      const { gradientNorm, updates } = network.step(total, views, leaves, leaves.learningRate);
      return { results: { loss: total, "gradient-norm": gradientNorm, ...metrics }, updates };
    },
    finite: ["loss", "gradient-norm"],
  });
  return {
    network,
    targets: [{ target, online: vector }],
    variables: [...Object.values(network.variables), target],
    parameters: [network],
    async update({ learningRate }) {
      program.inputs.learningRate[0] = learningRate;
      await program.run();
      return trainMetrics(program.results);
    },
    dispose: program.dispose,
  };
}
