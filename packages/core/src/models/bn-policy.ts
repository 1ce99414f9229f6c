import {
  add,
  argMax,
  cast,
  compile,
  type Engine,
  type Expr,
  filled,
  float32,
  frozen,
  int32,
  type Layout,
  logSoftmax,
  maskLogits,
  sizedPrograms,
  slice,
  trace,
  unpack,
  type Variable,
} from "../tensor/index.ts";
import { type BnActor, conditionalLogProbabilities, sampleJointActions } from "./bn-actor.ts";
import type { ConditionalRows } from "./conditional-rows.ts";
import {
  type DagChoices,
  dagChoices,
  dagChooser,
  type LearnedDagSource,
  writeChosenDags,
} from "./dag-chooser.ts";
import { dagNoise } from "./dag-noise.ts";
import { type DagBatch, type DagContext, type DagSource, dagWriter } from "./dag-source.ts";

/** Joint action selection for `B` environments in one program run. Write the inputs, `run`, read the results. */
export interface JointActor {
  /** `[B, N, O]` */
  readonly observations: Float32Array;
  readonly dags: DagBatch;
  /** Gumbel noise; zeros choose the most likely action at every node, `[B, N, A]`. */
  readonly noise: Float32Array;
  /** 1 for each action that may be played, where masks are needed, `[B, N, A]`. */
  readonly available?: Float32Array;
  /** Result: `[B, N]` */
  readonly actions: Int32Array;
  /** Result: `log pi^i` of the action taken, `[B, N]`. */
  readonly logProbabilities: Float32Array;
  run(): Promise<void>;
  dispose(): Promise<void>;
}

/** What the DAGs of a batch of `B` environments may depend on. */
export interface PolicyDagContext extends DagContext {
  /** `[B, N, O]` */
  readonly observations: Float32Array;
  /** Learned DAGs: choose under new noise, or under none: the likeliest DAG. */
  readonly noise: "new" | "none";
  /** Learned DAGs: where noise and what was chosen under it are left. */
  readonly choices?: DagChoices;
}

/** Draws the DAGs of a batch of environments, or lets the networks choose them. */
export interface PolicyDagWriter {
  /** @param fresh copies that started a new episode; all when absent */
  draw(context: PolicyDagContext, out: DagBatch, fresh?: (copy: number) => boolean): Promise<void>;
  /** Learned DAGs: chooses again, by the present parameters, under the noise that `choices` holds. */
  chooseAgain?(observations: Float32Array, choices: DagChoices): Promise<void>;
}

/** A Bayesian-network joint policy that can act, answer for single decisions, and leave as an ONNX file. */
export interface BnPolicy {
  readonly actor: BnActor;
  readonly dagSource: DagSource | LearnedDagSource;
  /** Whether actions can be unavailable. */
  readonly masked: boolean;
  /** A joint actor for `count` environments, reading observations from the given memory. */
  createActor(count: number, observations?: Float32Array): Promise<JointActor>;
  /** The joint actor kept for batches of `count` environments. */
  actorFor(count: number): Promise<JointActor>;
  /** What gives batches of `count` environments their DAGs. */
  createDagWriter(count: number): PolicyDagWriter;
  /** Log-probabilities of all actions of decisions, `[K, A]`; overwritten by the next call of the same sizes. */
  logProbabilities(rows: ConditionalRows): Promise<Float32Array>;
  /** Inputs that a program over decisions of these sizes declares. */
  rowInputs(...sizes: ConditionalRows["sizes"]): RowInputs;
  /**
   * An ONNX file for one environment with the present parameters inside. Inputs: `observations` `[1, N, O]`,
   * `parents` `[1, N, N]`, `order` `[1, N]`, `noise` `[1, N, A]` (and `available`); results: `actions` `[1, N]`,
   * `logProbabilities` `[1, N]`.
   */
  export(): Uint8Array;
  /**
   * An ONNX file for each agent, by its name (`agent-0`), for agents that are told nothing of each other: the policy under
   * the empty DAG. Inputs: `observation` `[1, O]` (and `available` `[1, A]`); results: the likeliest `action` `[1]` and
   * `logProbabilities` `[1, A]`.
   */
  exportAgents(): Readonly<Record<string, Uint8Array>>;
  dispose(): Promise<void>;
}

type Float32Input = { readonly dtype: "float32"; readonly shape: readonly number[] };
type Int32Input = { readonly dtype: "int32"; readonly shape: readonly number[] };

/** Inputs of a program over decisions; `available` `[K, A]` is among them where masks are needed. */
export type RowInputs = {
  readonly observations: Float32Input;
  readonly parents: Float32Input;
  readonly observationRow: Int32Input;
  readonly parentRow: Int32Input;
};

/** Whether networks choose the DAGs. */
export const isLearned = (source: DagSource | LearnedDagSource): source is LearnedDagSource =>
  "learner" in source;

export function bnPolicy(
  engine: Engine,
  name: string,
  network: { readonly actor: BnActor; readonly layout: Layout; readonly vector: Variable },
  { dagSource, masked }: { readonly dagSource: DagSource | LearnedDagSource; readonly masked: boolean },
): BnPolicy {
  const { actor, layout, vector } = network;
  const { agents, observationSize, actions } = actor.options;

  const actingInputs = (count: number, observations?: Float32Array) => ({
    observations: { ...float32(count, agents, observationSize), values: observations },
    parents: float32(count, agents, agents),
    order: int32(count, agents),
    noise: float32(count, agents, actions),
    ...(masked ? { available: float32(count, agents, actions) } : {}),
  });
  type Leaves = Readonly<Record<"observations" | "parents" | "order" | "noise", Expr>> & {
    readonly available?: Expr;
  };
  const sample = (parameters: Expr, leaves: Leaves) => ({
    results: sampleJointActions(actor, unpack(parameters, layout), dagSource.stages, leaves),
  });

  const createActor = async (count: number, observations?: Float32Array): Promise<JointActor> => {
    const program = await compile(engine, {
      name: `${name}: act`,
      inputs: actingInputs(count, observations),
      variables: { policy: vector },
      build: (leaves) => sample(leaves.policy, leaves),
    });
    const { inputs, results } = program;
    return {
      observations: inputs.observations,
      dags: { parents: inputs.parents, order: inputs.order },
      noise: inputs.noise,
      available: masked ? (inputs.available as Float32Array) : undefined,
      actions: results.actions as Int32Array,
      logProbabilities: results.logProbabilities as Float32Array,
      run: program.run,
      dispose: program.dispose,
    };
  };

  const rowInputs: BnPolicy["rowInputs"] = (observations, parents, rows) => ({
    observations: float32(observations, observationSize),
    parents: float32(parents, actor.parentInputSize),
    observationRow: int32(rows),
    parentRow: int32(rows),
    ...(masked ? { available: float32(rows, actions) } : {}),
  });
  const conditionals = sizedPrograms((observations: number, parents: number, rows: number) =>
    compile(engine, {
      name: `${name}: conditionals`,
      inputs: rowInputs(observations, parents, rows),
      variables: { policy: vector },
      build: (leaves) => ({
        results: {
          logProbabilities: conditionalLogProbabilities(actor, unpack(leaves.policy, layout), leaves),
        },
      }),
    }),
  );
  const actors = sizedPrograms((count: number) => createActor(count));
  const choosers = sizedPrograms(async (count: number) =>
    dagChooser(engine, name, dagSource as LearnedDagSource, count),
  );
  const createDagWriter = (count: number): PolicyDagWriter => {
    if (!isLearned(dagSource)) {
      const writer = dagWriter(dagSource, count, agents);
      return { draw: async (context, out, fresh) => writer.draw(context, out, fresh) };
    }
    const own = dagChoices(count, agents);
    const fillNoise = dagNoise(agents, count);
    const chooseAgain = async (observations: Float32Array, choices: DagChoices) =>
      (await choosers.for(count)).choose(observations, choices);
    return {
      async draw({ observations, noise, rng, choices = own }, out) {
        fillNoise(choices, noise === "new" ? rng : undefined);
        await chooseAgain(observations, choices);
        writeChosenDags(dagSource.learner.options, choices, out);
      },
      chooseAgain,
    };
  };

  return {
    actor,
    dagSource,
    masked,
    createActor,
    actorFor: (count) => actors.for(count),
    createDagWriter,
    rowInputs,
    async logProbabilities(rows) {
      const program = await conditionals.for(...rows.sizes);
      rows.fill(program.inputs);
      await program.run();
      return program.results.logProbabilities as Float32Array;
    },
    export() {
      const parameters = frozen(vector);
      return trace({
        name: `${name}: act`,
        inputs: actingInputs(1),
        variables: {},
        build: (leaves) => sample(parameters, leaves),
      }).onnx;
    },
    exportAgents() {
      const parameters = frozen(vector);
      const nothing = filled("float32", [1, actor.parentInputSize], 0);
      const file = (agent: number): Uint8Array =>
        trace({
          name: `${name}: agent ${agent}`,
          inputs: {
            observation: float32(1, observationSize),
            ...(masked ? { available: float32(1, actions) } : {}),
          },
          variables: {},
          build({ observation, available }) {
            const views = unpack(parameters, layout);
            const ofAll = add(
              actor.observationLogits(views, observation),
              actor.parentLogits(views, nothing),
            );
            const own = slice(ofAll, 0, agent, agent + 1);
            const logProbabilities = logSoftmax(available === undefined ? own : maskLogits(own, available));
            return { results: { action: cast(argMax(logProbabilities, 1), "int32"), logProbabilities } };
          },
        }).onnx;
      return Object.fromEntries(
        Array.from({ length: agents }, (_, agent) => [`agent-${agent}`, file(agent)]),
      );
    },
    async dispose() {
      await actors.dispose();
      await choosers.dispose();
      await conditionals.dispose();
    },
  };
}
