/**
 * The workloads of `bench/peers/engine.py` as corral programs: the same networks, losses, optimisers and kinds of
 * data. Each is one program that does a whole call.
 */
import type { Rng } from "corral/random";
import {
  adam,
  add,
  clip,
  clipByGlobalNorm,
  compile,
  concat,
  type Engine,
  type Expr,
  exp,
  expand,
  gradients,
  initialise,
  type Layout,
  layoutOf,
  logSoftmax,
  mean,
  minimum,
  mul,
  neg,
  nn,
  oneHot,
  pack,
  pick,
  relu,
  reshape,
  square,
  sub,
  sum,
  transpose,
  unpack,
  type Values,
  type Variable,
  type Views,
  variable,
} from "corral/tensor";

/** One call of a workload, compiled and fed. */
export interface Workload {
  run(): Promise<void>;
  /** Loss before the last run's step; absent for forward passes. */
  readonly loss?: Values;
  /** What a forward pass computed. */
  readonly outputs?: Values;
  /** Nodes of the graph before the runtime's own optimisation. */
  readonly nodes: number;
  dispose(): Promise<void>;
}

const GRADIENT_NORM = 10;

/** The new state of Adam and the parameters after a step down the clipped gradient of `loss`. */
export function descend(
  loss: Expr,
  layout: Layout,
  views: Views,
  optimiser: ReturnType<typeof adam>,
  leaves: Readonly<Record<"parameters" | "firstMoment" | "secondMoment" | "stepCount", Expr>>,
) {
  const parts = gradients(
    loss,
    layout.parameters.map(({ name }) => views[name]),
  );
  const { gradient } = clipByGlobalNorm(pack(parts), GRADIENT_NORM);
  const { parameters, state } = optimiser.step(leaves.parameters, gradient, leaves);
  return { parameters, ...state };
}

export function learnt(layout: Layout, rng: Rng): Variable {
  return variable("parameters", "float32", [layout.size], initialise(layout, rng.split("parameters")));
}

/** One clipped policy-gradient update of an actor 16-64-64-2. */
export async function ppoUpdate(engine: Engine, batch: number, rng: Rng): Promise<Workload> {
  const actor = nn.mlp("actor", 16, 2, { hidden: [64, 64] });
  const layout = layoutOf(actor.parameters);
  const parameters = learnt(layout, rng);
  const optimiser = adam({ learningRate: 7e-4, epsilon: 1e-5 });
  const observations = new Float32Array(batch * 16);
  rng.fillNormal(observations);
  const actions = Int32Array.from({ length: batch }, () => rng.integer(2));
  const advantages = new Float32Array(batch);
  rng.fillNormal(advantages);

  const acting = {
    observations: { dtype: "float32", shape: [batch, 16], values: observations },
    actions: { dtype: "int32", shape: [batch], values: actions },
  } as const;
  const before = await compile(engine, {
    name: "log-probabilities",
    inputs: acting,
    variables: { parameters },
    build: ({ parameters: vector, observations: x, actions: a }) => ({
      results: { chosen: pick(logSoftmax(actor.apply(unpack(vector, layout), x)), a) },
    }),
  });
  await before.run();
  await before.dispose();

  const program = await compile(engine, {
    name: "ppo update",
    inputs: {
      ...acting,
      advantages: { dtype: "float32", shape: [batch], values: advantages },
      oldLogProbabilities: { dtype: "float32", shape: [batch], values: before.results.chosen },
    },
    variables: { parameters, ...optimiser.state("adam", "float32", layout.size) },
    build(leaves) {
      const views = unpack(leaves.parameters, layout);
      const logPolicy = logSoftmax(actor.apply(views, leaves.observations));
      const ratio = exp(sub(pick(logPolicy, leaves.actions), leaves.oldLogProbabilities));
      const entropy = neg(mean(sum(mul(exp(logPolicy), logPolicy), [1])));
      const gain = mean(
        minimum(mul(ratio, leaves.advantages), mul(clip(ratio, 0.8, 1.2), leaves.advantages)),
      );
      const loss = sub(neg(gain), mul(entropy, 0.01));
      return { results: { loss }, updates: descend(loss, layout, views, optimiser, leaves) };
    },
    finite: ["loss"],
  });
  return {
    run: program.run,
    loss: program.results.loss,
    nodes: program.nodeCount,
    dispose: program.dispose,
  };
}

/** One regression of the summed Q-values of the taken actions, from attention among all (agent, action) nodes. */
export async function agpUpdate(engine: Engine, batch: number, rng: Rng): Promise<Workload> {
  const [agents, actions, observation, width, heads] = [6, 2, 7, 64, 4];
  const nodes = agents * actions;
  const embed = nn.mlp("embed", observation + actions, width, { hidden: [width] });
  const attention = [
    nn.selfAttention("attention/0", width, heads),
    nn.selfAttention("attention/1", width, heads),
  ];
  const head = nn.mlp("head", observation + width, actions, { hidden: [width] });
  const layout = layoutOf([embed, ...attention, head].flatMap(({ parameters }) => parameters));
  const optimiser = adam({ learningRate: 5e-4 });

  const program = await compile(engine, {
    name: "agp update",
    inputs: {
      observations: { dtype: "float32", shape: [batch, agents, observation] },
      actionFeatures: { dtype: "float32", shape: [batch, nodes, actions] },
      taken: { dtype: "int32", shape: [batch, agents] },
      targets: { dtype: "float32", shape: [batch] },
    },
    variables: { parameters: learnt(layout, rng), ...optimiser.state("adam", "float32", layout.size) },
    build(leaves) {
      const views = unpack(leaves.parameters, layout);
      const { observations } = leaves;
      const repeated = expand(reshape(observations, [batch, agents, 1, observation]), [
        batch,
        agents,
        actions,
        observation,
      ]);
      const features = concat([reshape(repeated, [batch, nodes, observation]), leaves.actionFeatures], 2);
      // Nodes come first, which attention reads fastest.
      let x = embed.apply(views, transpose(features, [1, 0, 2]));
      for (const layer of attention) x = relu(add(layer.apply(views, x), x));
      const pooled = transpose(mean(reshape(x, [agents, actions, batch, width]), [1]), [1, 0, 2]);
      const values = head.apply(views, concat([observations, pooled], 2));
      const total = sum(mul(values, oneHot(leaves.taken, actions, "float32")), [1, 2]);
      const loss = mean(square(sub(total, leaves.targets)));
      return { results: { loss }, updates: descend(loss, layout, views, optimiser, leaves) };
    },
    finite: ["loss"],
  });
  rng.fillUniform(program.inputs.observations as Float32Array);
  const identities = program.inputs.actionFeatures as Float32Array;
  for (let node = 0; node < batch * nodes; node++) identities[node * actions + (node % actions)] = 1;
  const taken = program.inputs.taken as Int32Array;
  for (let k = 0; k < taken.length; k++) taken[k] = rng.integer(actions);
  rng.fillUniform(program.inputs.targets as Float32Array);
  return {
    run: program.run,
    loss: program.results.loss,
    nodes: program.nodeCount,
    dispose: program.dispose,
  };
}

/** The forward pass of a policy 16-64-64-5. */
export async function policyForward(engine: Engine, batch: number, rng: Rng): Promise<Workload> {
  const policy = nn.mlp("policy", 16, 5, { hidden: [64, 64] });
  const layout = layoutOf(policy.parameters);
  const program = await compile(engine, {
    name: "policy forward",
    inputs: { observations: { dtype: "float32", shape: [batch, 16] } },
    variables: { parameters: learnt(layout, rng) },
    build: ({ parameters, observations }) => ({
      results: { logits: policy.apply(unpack(parameters, layout), observations) },
    }),
  });
  rng.fillNormal(program.inputs.observations as Float32Array);
  return {
    run: program.run,
    outputs: program.results.logits,
    nodes: program.nodeCount,
    dispose: program.dispose,
  };
}
