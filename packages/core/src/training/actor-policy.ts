import type { PolicyConditions } from "../models/index.ts";
import {
  argMax,
  cast,
  compile,
  type Engine,
  type Expr,
  equal,
  float32,
  maskLogits,
  oneHot,
  unpack,
  where,
} from "../tensor/index.ts";
import { type GreedyPolicy, type GreedyPolicyOptions, greedyPolicy } from "./greedy-policy.ts";

/** What an actor's policy is made of. */
export interface ActorPolicyOptions extends Omit<GreedyPolicyOptions, "step"> {
  /** One step of the policy network: see `GreedyPolicyOptions`. */
  step(...inputs: Parameters<GreedyPolicyOptions["step"]>): {
    /** Of the policy that is tested, `[B, N, A]`. */
    readonly logits: Expr;
    readonly memory: Readonly<Record<string, Expr>>;
    /** One-hot actions `[B, N, A]` of the policy that explores. */
    draw(exploration: Drawing): Expr;
  };
}

interface Drawing extends PolicyConditions {
  /** Standard Gumbel, `[B, N, A]`. */
  readonly noise: Expr;
  /** The probability of a random action that the policy is told, a scalar. */
  readonly epsilon: Expr;
}

/**
 * A policy network with two ways to act: told to explore, it draws actions; else every agent plays its most likely one,
 * the first of equals. The exported file does the latter, as that of a greedy policy with logits for utilities.
 */
export function actorPolicy(engine: Engine, options: ActorPolicyOptions): GreedyPolicy {
  const { name, spec, shape, network, step } = options;
  const { agents, observationSize } = spec;
  const memoryNames = Object.keys(options.memory);
  const greedy = greedyPolicy(engine, {
    ...options,
    step(views, now) {
      const { logits, memory } = step(views, now);
      return { utilities: logits, memory };
    },
  });

  return {
    async create(size) {
      const program = await compile(engine, {
        name: `${name}: act`,
        inputs: {
          observations: float32(size, agents, observationSize),
          noise: float32(size, agents, shape.actions),
          explores: float32(),
          epsilon: float32(),
          ...(shape.masked ? { available: float32(size, agents, shape.actions) } : {}),
          ...Object.fromEntries(memoryNames.map((name) => [name, float32(size, ...options.memory[name])])),
        },
        variables: { parameters: network.vector },
        build(leaves) {
          const { noise, explores, epsilon } = leaves;
          const available = (leaves as { available?: Expr }).available;
          const { logits, memory, draw } = step(unpack(leaves.parameters, network.layout), leaves);
          const likely = available === undefined ? logits : maskLogits(logits, available);
          const chosen = where(equal(explores, 1), draw({ noise, available, epsilon }), likely);
          const actions = cast(argMax(chosen, -1), "int32");
          const next: Readonly<Record<string, Expr>> = {
            ...memory,
            lastAction: oneHot(actions, shape.actions, "float32"),
          };
          const remembered = memoryNames.map((name) => [`next/${name}`, next[name]] as const);
          return { results: { actions, ...Object.fromEntries(remembered) } };
        },
      });
      const { noise, explores, epsilon } = program.inputs;
      const read: Readonly<Record<string, Float32Array>> = program.inputs;
      const results: Readonly<Record<string, unknown>> = program.results;
      const memory = Object.fromEntries(memoryNames.map((name) => [name, read[name]]));
      return {
        observations: program.inputs.observations,
        available: shape.masked ? read.available : undefined,
        actions: program.results.actions as Int32Array,
        memory,
        async choose(exploration) {
          explores[0] = exploration === undefined ? 0 : 1;
          epsilon[0] = exploration?.epsilon ?? 0;
          exploration?.rng.fillGumbel(noise);
          await program.run();
          for (const name of memoryNames) memory[name].set(results[`next/${name}`] as Float32Array);
        },
        dispose: program.dispose,
      };
    },
    export: greedy.export,
  };
}
