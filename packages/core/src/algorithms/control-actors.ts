import type { EnvSpec } from "../envs/index.ts";
import {
  type ActionHead,
  type AgentNetworks,
  actionHead,
  actionRows,
  agentNetworks,
  observationRows,
} from "../models/index.ts";
import type { Rng } from "../random/index.ts";
import {
  constant,
  type Expr,
  matMul,
  mul,
  type Operand,
  reshape,
  square,
  type Views,
} from "../tensor/index.ts";
import { type ColumnsOfMoment, meanOfRows } from "./control-columns.ts";
import type { ControlConfig } from "./control-settings.ts";
import { jointActions } from "./deterministic-policy.ts";

/** Deterministic actors of all agents. */
export interface ControlActors {
  readonly networks: AgentNetworks;
  readonly head: ActionHead;
  /** Joint actions `[K, R]`. @param noise `[K, R]`; where the head has Gumbel noise, without it there is none */
  act(views: Views, moment: ColumnsOfMoment, noise?: Expr): Expr;
  /** What is added to each actor's loss, `[N]`: the mean square of what its last layer gives, weighted. */
  penalty(views: Views, moment: ColumnsOfMoment, mask: Expr): Operand;
}

/** @throws InputError when an agent's actions are discrete, or of another kind than the head's */
export function controlActors(
  name: string,
  spec: EnvSpec,
  config: ControlConfig,
  networks: AgentNetworks = ownActors(spec, config),
): ControlActors {
  const head = actionHead(name, spec, config);
  // What the last layers give, as they are.
  const bare: ActionHead = { ...head, apply: (_group, last) => last };
  const run = (as: ActionHead, views: Views, { observations }: ColumnsOfMoment, noise?: Expr): Expr =>
    jointActions(spec, as, [{ networks, views }], observations, noise);
  return {
    networks,
    head,
    act: (views, moment, noise) => run(head, views, moment, noise),
    penalty(views, moment, mask) {
      if (config.actionPenalty === 0) return 0;
      const size = meanOfAgents(spec, meanOfRows(square(run(bare, views, moment)), mask));
      return mul(size, config.actionPenalty);
    },
  };
}

/** A network for every agent, from what it observes to its action. */
function ownActors(spec: EnvSpec, { actorHidden, actorOutputGain }: ControlConfig): AgentNetworks {
  const rows = actionRows(spec);
  const sizes = observationRows(spec).map((own, agent) => ({
    inputs: own.length,
    outputs: rows[agent].length,
  }));
  return agentNetworks("actor", { sizes, hidden: actorHidden, outputGain: actorOutputGain });
}

/** Mean over the numbers of each agent's action, `[K] -> [N]`. */
function meanOfAgents(spec: EnvSpec, values: Expr): Expr {
  const rows = actionRows(spec);
  const [width] = values.shape;
  const weights = rows.flatMap((own) => {
    const shares = new Array<number>(width).fill(0);
    for (const row of own) shares[row] = 1 / own.length;
    return shares;
  });
  const product = matMul(constant("float32", [rows.length, width], weights), reshape(values, [width, 1]));
  return reshape(product, [rows.length]);
}

/** Noise that a training program reads. */
export interface NoiseInputs {
  /** `[K, R]` each; none for heads that take noise only to explore. */
  readonly inputs: Readonly<
    Record<
      string,
      { readonly dtype: "float32"; readonly shape: readonly number[]; readonly values: Float32Array }
    >
  >;
  draw(rng: Rng): void;
}

/** @param names of the inputs, in the order in which they are drawn */
export function gumbelInputs(
  { noise }: ActionHead,
  shape: readonly [number, number],
  names: readonly string[],
): NoiseInputs {
  const used = noise === "gumbel" ? names : [];
  const memory = used.map(() => new Float32Array(shape[0] * shape[1]));
  return {
    inputs: Object.fromEntries(
      used.map((name, k) => [name, { dtype: "float32", shape, values: memory[k] }] as const),
    ),
    draw(rng) {
      for (const values of memory) rng.fillGumbel(values);
    },
  };
}
