/**
 * Exact policy gradient ascent for tabular softmax Bayesian-network joint policies (Subteams, Sections 4 and 6.1;
 * BN-rates; Context-aware BN, Section 5).
 *
 * Nothing is sampled: the environment's finite model gives the value, its gradient and the equilibrium gap exactly.
 * What a run counts as environment steps are gradient steps. The DAG stays the same in every state.
 */
import { z } from "zod";
import type { FiniteModel } from "../envs/index.ts";
import { InputError } from "../errors.ts";
import { type Dag, edges, parseTopology } from "../structure/index.ts";
import {
  type Ascent,
  type AscentState,
  boundSetting,
  createAscent,
  gaussianTheta,
  practicalStepSize,
  type ThetaLayout,
  theoryStepSize,
  thetaLayout,
} from "../tabular/index.ts";
import { constant, gather, int32, trace } from "../tensor/index.ts";
import {
  type Algorithm,
  DivergenceError,
  type Learner,
  type LearnerContext,
  type LearnerSnapshot,
} from "../training/index.ts";

const configSchema = z.strictObject({
  dag: z
    .string()
    .default("product")
    .describe("Who reads whose action, in every state: product, full, line, line-truncated, 2+3, edges:0>1"),
  initialisation: z
    .enum(["normal", "zero"])
    .default("normal")
    .describe("First parameters: standard normal as in the papers' figures, or zero as in their theorems"),
  optimiser: z.enum(["sgd", "adam"]).default("sgd").describe("How a gradient becomes a step"),
  stepSize: z
    .union([z.literal("practical"), z.literal("theory"), z.number().positive()])
    .default("practical")
    .describe(
      "Eta; practical: 0.01 2^N / N as in published code; theory: 1 / beta, which is far too small to get anywhere",
    ),
  lambda: z.number().min(0).default(0).describe("Weight of the log barrier"),
  gradientSteps: z.int().min(1).default(20).describe("Gradient steps of an iteration"),
});

export type ExactPolicyGradientConfig = z.output<typeof configSchema>;

export const exactPolicyGradient: Algorithm<ExactPolicyGradientConfig> = {
  name: "exact-policy-gradient",
  description:
    "Exact gradient ascent of tabular Bayesian-network policies where the game is finite and small; its steps are gradient steps",
  source: "Subteams; BN-rates; Context-aware Bayesian network actor-critic",
  config: configSchema,
  create: createExactPolicyGradient,
};

async function createExactPolicyGradient(
  context: LearnerContext<ExactPolicyGradientConfig>,
): Promise<Learner> {
  const { config, rng, totalSteps } = context;
  const { gradientSteps, lambda } = config;
  const game = finiteModel(context);
  const dag = parseTopology(config.dag.replaceAll(" ", ""), game.actions.length);
  const layout = thetaLayout(game, dag);
  const stepSize = chooseStepSize(config, game, dag);
  const open = (start: Float64Array | AscentState): Ascent =>
    createAscent(game, dag, [start], {
      stepSize,
      lambda,
      optimiser: config.optimiser,
      iterations: Math.ceil(totalSteps / gradientSteps) * gradientSteps,
      recordAt: [],
    });

  // Named after the edges: a start depends on the seed and the DAG, whatever the DAG is called and whatever ran before.
  const stream = rng.split(`theta/${dag.agents}: ${edges(dag).join(" ")}`);
  const zero = config.initialisation === "zero";
  let ascent = open(zero ? new Float64Array(layout.size) : gaussianTheta(layout, stream));
  const state = () => ascent.states()[0];

  return {
    stepsPerIteration: gradientSteps,
    facts: {
      parameters: layout.size,
      edges: edges(dag).length,
      stepSize,
      optimalValue: ascent.optimum,
      note: "steps are gradient steps; evaluation is exact and plays no episodes",
    },
    async iterate() {
      const before = state();
      try {
        ascent.advance(gradientSteps);
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        ascent = open(before);
        throw new DivergenceError("gradient norm", Number.NaN);
      }
      return { "train/gradient-norm": norm(ascent.policy.gradient) };
    },
    async evaluate() {
      const { policy, optimum } = ascent;
      const theta = Float64Array.from(state().theta);
      const objective = policy.regularisedValue(theta, lambda);
      const value = lambda === 0 ? objective : policy.evaluate(theta);
      return {
        "eval/value": value,
        "eval/objective": objective,
        "eval/price-of-anarchy": value / optimum,
        "eval/suboptimality": 1 - value / optimum,
        "eval/equilibrium-gap": Math.max(...policy.equilibriumGaps(theta)),
        "eval/gap-unconditional": Math.max(...policy.unconditionalGaps(theta)),
      };
    },
    snapshot() {
      const { theta, moments, iteration } = state();
      const saved: Record<string, Float64Array> = { theta: Float64Array.from(theta) };
      moments.forEach((moment, k) => {
        saved[`moment-${k + 1}`] = Float64Array.from(moment);
      });
      return { tensors: saved, json: { iteration } };
    },
    restore({ tensors, json }: LearnerSnapshot) {
      const array = (name: string) => Array.from(tensors[name] ?? []);
      const moments = config.optimiser === "adam" ? ["moment-1", "moment-2"].map(array) : [];
      const { iteration } = json as { readonly iteration: number };
      ascent = open({ iteration, status: "running", theta: array("theta"), moments, records: [] });
    },
    parameters: () => thetaByAgent(layout, state().theta),
    exportPolicy: () => policyTables(ascent, Float64Array.from(state().theta)),
    async dispose() {},
  };
}

function finiteModel({ env }: LearnerContext<ExactPolicyGradientConfig>): FiniteModel {
  const one = env();
  const model = one.model?.();
  if (model === undefined) {
    throw new InputError(
      `exact-policy-gradient: environment ${one.spec.id} has no finite model at this size, expected one such as coordination-game with at most 8 agents`,
    );
  }
  return model;
}

function chooseStepSize(
  { stepSize, lambda }: ExactPolicyGradientConfig,
  game: FiniteModel,
  dag: Dag,
): number {
  if (stepSize === "practical") return practicalStepSize(game.actions.length);
  // The smoothness does not depend on the mismatch M.
  if (stepSize === "theory") return theoryStepSize(boundSetting(game, dag, 1), lambda);
  return stepSize;
}

function norm(vector: Float64Array): number {
  let squares = 0;
  for (const entry of vector) squares += entry * entry;
  return Math.sqrt(squares);
}

/** `theta^i`, `[S, A^{P^i}, A^i]`, of each agent, in the single precision of exchanged files. */
function thetaByAgent(layout: ThetaLayout, theta: readonly number[]): ReturnType<Learner["parameters"]> {
  const { states, parentActions, actions, offsets } = layout;
  return Object.fromEntries(
    actions.map((choices, i) => {
      const shape = [states, parentActions[i], choices];
      const data = Float32Array.from(theta.slice(offsets[i], offsets[i + 1] ?? layout.size));
      return [`theta/${i}`, { shape, data }];
    }),
  );
}

/**
 * The policy as tables: input `state`, an index of the finite model, `[1]`; results `policy`, the probabilities of all
 * joint actions with agent 0 as the most significant digit, `[1, A]`, and for each agent `conditionals-i`, its
 * probabilities given each joint action of its parents, `[1, A^{P^i}, A^i]`. Probabilities are in single precision.
 */
function policyTables({ policy }: Ascent, theta: Float64Array): Uint8Array {
  policy.evaluate(theta);
  const { layout, jointPolicy, conditionals } = policy;
  const { states, parentActions, actions, offsets } = layout;
  return trace({
    name: "exact-policy-gradient: policy",
    inputs: { state: int32(1) },
    variables: {},
    build: ({ state }) => ({
      results: {
        policy: gather(
          constant("float32", [states, jointPolicy.length / states], Float32Array.from(jointPolicy)),
          state,
        ),
        ...Object.fromEntries(
          actions.map((choices, i) => {
            const own = conditionals.slice(offsets[i], offsets[i + 1] ?? layout.size);
            const table = constant("float32", [states, parentActions[i], choices], Float32Array.from(own));
            return [`conditionals-${i}`, gather(table, state)];
          }),
        ),
      },
    }),
  }).onnx;
}
