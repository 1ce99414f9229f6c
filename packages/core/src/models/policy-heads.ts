import type { EnvSpec } from "../envs/index.ts";
import { InputError } from "../errors.ts";
import {
  add,
  argMax,
  cast,
  categoricalEntropy,
  div,
  type Expr,
  exp,
  expand,
  logSoftmax,
  maskLogits,
  mul,
  oneHot,
  square,
  sub,
  sum,
  transpose,
} from "../tensor/index.ts";
import { actionHead } from "./action-heads.ts";
import type { AgentGroup } from "./agent-groups.ts";
import { type AgentRows, actionRows, consecutiveRows } from "./agent-rows.ts";

/**
 * How the outputs of an agent's network become a distribution over decisions, and a decision an action:
 *
 * - `box`: normal around the outputs; the action is the `tanh` of the decision, stretched over the range of the numbers;
 * - `simplex-gauss`: normal around the outputs; the action is the softmax of the decision;
 * - `categorical`: the softmax of the outputs, over those actions that may be played; a decision is one-hot.
 *
 * Probabilities, and entropies, are those of decisions. What comes after a decision has no parameters, so that gradients of
 * log-probabilities and ratios of probabilities are as good as those of actions.
 */
export const policyHeadKinds = ["box", "simplex-gauss", "categorical"] as const;

export type PolicyHeadKind = (typeof policyHeadKinds)[number];

/** What one group's networks say of `B` samples. */
export interface PolicyOutput {
  readonly group: AgentGroup;
  /** `[G, A, B]` */
  readonly last: Expr;
  /** Of normal distributions, `[G, A, 1]`. */
  readonly logDeviations?: Expr;
  /** 1 for actions that may be played, where some may not, `[G, A, B]`. */
  readonly available?: Expr;
}

export interface PolicyHead {
  readonly kind: PolicyHeadKind;
  /** The standard distribution that noise is to be drawn from. */
  readonly noise: "normal" | "gumbel";
  /** Each agent's decision, which has as many numbers as its network has outputs, among the `D` numbers of all. */
  readonly rows: AgentRows;
  /** Decisions `[G, A, B]`: drawn by noise `[G, A, B]`, without it the most likely. */
  decide(output: PolicyOutput, noise?: Expr): Expr;
  /** `[G, A, B] -> [G, B]` */
  logProbabilities(output: PolicyOutput, decisions: Expr): Expr;
  /** In nats, `[G, B]`. */
  entropies(output: PolicyOutput): Expr;
  /** Real vectors `[G, A, B]` for decisions `[G, A, B]`; of discrete actions, one-hot. */
  actions(group: AgentGroup, decisions: Expr): Expr;
}

/**
 * @param name of the algorithm, for messages
 * @param kind `auto`: what fits the actions
 * @throws InputError when an agent's actions are of another kind than the head's
 */
export function policyHead(name: string, spec: EnvSpec, kind: PolicyHeadKind | "auto"): PolicyHead {
  const fitting = { box: "box", simplex: "simplex-gauss", discrete: "categorical" } as const;
  const chosen = kind === "auto" ? fitting[spec.actions[0].kind] : kind;
  for (const [agent, space] of spec.actions.entries()) {
    if (fitting[space.kind] === chosen) continue;
    throw new InputError(
      kind === "auto"
        ? `${name}: actions of agent ${agent} of ${spec.id} are ${words[space.kind]}, expected ${words[spec.actions[0].kind]} as those of agent 0`
        : `${name}.head: actions of agent ${agent} of ${spec.id} are ${words[space.kind]}, got ${kind}, expected ${fitting[space.kind]}`,
    );
  }
  if (chosen === "categorical") return categorical(spec);
  const { apply } = actionHead(name, spec, { head: chosen });
  return { ...normal, kind: chosen, rows: actionRows(spec), actions: apply };
}

const words = { box: "a box", simplex: "a simplex", discrete: "discrete" } as const;

const normal: Omit<PolicyHead, "kind" | "rows" | "actions"> = {
  noise: "normal",
  decide: ({ last, logDeviations }, noise) =>
    noise === undefined ? last : add(last, mul(exp(logDeviations!), noise)),
  logProbabilities({ last, logDeviations }, decisions) {
    const apart = div(sub(decisions, last), exp(logDeviations!));
    const each = add(mul(square(apart), -0.5), mul(add(logDeviations!, Math.log(2 * Math.PI) / 2), -1));
    return sum(each, [1]);
  },
  entropies({ last, logDeviations }) {
    const each = add(logDeviations!, Math.log(2 * Math.PI * Math.E) / 2);
    return expand(sum(each, [1]), [last.shape[0], last.shape[2]]);
  },
};

function categorical({ actions }: EnvSpec): PolicyHead {
  const swapped = (values: Expr): Expr => transpose(values, [0, 2, 1]);
  const logits = ({ last, available }: PolicyOutput): Expr =>
    available === undefined ? swapped(last) : maskLogits(swapped(last), swapped(available));
  return {
    kind: "categorical",
    noise: "gumbel",
    rows: consecutiveRows(actions.map((space) => (space.kind === "discrete" ? space.n : space.size))),
    decide(output, noise) {
      const allowed = logits(output);
      const noisy = noise === undefined ? allowed : add(allowed, swapped(noise));
      return swapped(oneHot(argMax(noisy, -1), output.group.outputs, output.last.dtype as "float32"));
    },
    logProbabilities: (output, decisions) => sum(mul(logSoftmax(logits(output)), swapped(decisions)), [2]),
    entropies: (output) => categoricalEntropy(logits(output)),
    actions: (_group, decisions) => decisions,
  };
}

/** Which action each one-hot decision is, `[G, A, B]` to int32 `[G, B]`. */
export const chosenActions = (decisions: Expr): Expr => cast(argMax(decisions, 1), "int32");
