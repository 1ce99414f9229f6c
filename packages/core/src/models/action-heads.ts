import type { ActionSpace, EnvSpec } from "../envs/index.ts";
import { InputError } from "../errors.ts";
import {
  add,
  constant,
  div,
  type Expr,
  exp,
  max,
  maximum,
  minimum,
  mul,
  stopGradient,
  sub,
  sum,
  tanh,
} from "../tensor/index.ts";
import type { AgentGroup } from "./agent-groups.ts";

/**
 * How the last layer of a network becomes an action that is a real vector, and how it explores:
 *
 * - `box`: `tanh`, stretched over the range of the numbers; normal noise is added and the sum kept in the range;
 * - `simplex`: the softmax of logits; Gumbel noise is added to the logits (Jang et al. 2017, at temperature 1);
 * - `simplex-gauss`: the softmax of logits; normal noise is added to the logits.
 */
export const headKinds = ["box", "simplex", "simplex-gauss"] as const;

export type HeadKind = (typeof headKinds)[number];

export interface ActionHead {
  readonly kind: HeadKind;
  /** The standard distribution that noise is to be drawn from. */
  readonly noise: "normal" | "gumbel";
  /** Factor on the noise: of logits, or as a share of half the range. */
  readonly deviation: number;
  /**
   * Actions of a group from the last layers of its networks, `[G, A, B] -> [G, A, B]`.
   *
   * @param noise explores when given, `[G, A, B]`
   */
  apply(group: AgentGroup, last: Expr, noise?: Expr): Expr;
}

export interface ActionHeadOptions {
  /** `auto`: `box` for numbers in a range, `simplex-gauss` for shares. */
  readonly head: HeadKind | "auto";
  /** Factor on the noise: of logits, or as a share of half the range. By default 0.1, 0.3 or, for Gumbel noise, 1. */
  readonly deviation?: number;
}

const USUAL_DEVIATION: Readonly<Record<HeadKind, number>> = { box: 0.1, simplex: 1, "simplex-gauss": 0.3 };

/**
 * @param name of the algorithm, for messages
 * @throws InputError when an agent's actions are discrete, or of another kind than the head's
 */
export function actionHead(
  name: string,
  { id, actions: spaces }: EnvSpec,
  { head, deviation }: ActionHeadOptions,
): ActionHead {
  const kind = head === "auto" ? (spaces[0].kind === "box" ? "box" : "simplex-gauss") : head;
  const wanted = kind === "box" ? "box" : "simplex";
  for (const [agent, space] of spaces.entries()) {
    if (space.kind === wanted) continue;
    if (space.kind === "discrete") {
      throw new InputError(
        `${name}: actions of agent ${agent} of ${id} are discrete, expected real numbers (box or simplex)`,
      );
    }
    throw new InputError(
      `${name}.head: actions of agent ${agent} of ${id} are a ${space.kind}, got ${kind}, expected ${space.kind === "box" ? "box" : "simplex-gauss or simplex"}`,
    );
  }
  const scale = deviation ?? USUAL_DEVIATION[kind];
  return {
    kind,
    noise: kind === "simplex" ? "gumbel" : "normal",
    deviation: scale,
    apply(group, last, noise) {
      const scaled = noise && mul(noise, scale);
      return kind === "box"
        ? boxActions(rangesOf(group, spaces, last), last, scaled)
        : softmaxOfColumns(scaled === undefined ? last : add(last, scaled));
    },
  };
}

/** Bounds of a group's numbers, `[G, 1, 1]` each. */
interface Ranges {
  readonly low: Expr;
  readonly high: Expr;
  readonly centre: Expr;
  readonly half: Expr;
}

function rangesOf({ agents }: AgentGroup, spaces: readonly ActionSpace[], { dtype }: Expr): Ranges {
  const own = agents.map((agent) => spaces[agent] as Extract<ActionSpace, { kind: "box" }>);
  const each = (of: (space: (typeof own)[number]) => number): Expr =>
    constant(dtype, [agents.length, 1, 1], own.map(of));
  const round = dtype === "float32" ? withinFloat32 : (bound: number): number => bound;
  return {
    low: each(({ low }) => -round(-low)),
    high: each(({ high }) => round(high)),
    centre: each(({ low, high }) => (low + high) / 2),
    half: each(({ low, high }) => (high - low) / 2),
  };
}

/** The largest float32 that is not above, so that an action at its bound is still an action. */
function withinFloat32(bound: number): number {
  const nearest = Math.fround(bound);
  if (nearest <= bound) return nearest;
  const bits = new DataView(new ArrayBuffer(4));
  bits.setFloat32(0, nearest);
  bits.setInt32(0, bits.getInt32(0) + (nearest > 0 ? -1 : 1));
  return bits.getFloat32(0);
}

function boxActions({ low, high, centre, half }: Ranges, last: Expr, noise: Expr | undefined): Expr {
  const action = add(mul(tanh(last), half), centre);
  return minimum(maximum(noise === undefined ? action : add(action, mul(noise, half)), low), high);
}

/** Softmax over the rows of each column, `[G, A, B]`. */
function softmaxOfColumns(logits: Expr): Expr {
  const powers = exp(sub(logits, stopGradient(max(logits, [1], true))));
  return div(powers, sum(powers, [1], true));
}
