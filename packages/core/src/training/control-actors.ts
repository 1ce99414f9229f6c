import { drawActions, type EnvSpec } from "../envs/index.ts";
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
  type Engine,
  type Expr,
  filled,
  matMul,
  mean,
  mul,
  reshape,
  square,
  type Views,
} from "../tensor/index.ts";
import type { ColumnsOfMoment } from "./control-columns.ts";
import type { ControlConfig } from "./control-settings.ts";
import {
  type DeterministicPolicyOptions,
  deterministicPolicy,
  jointActions,
} from "./deterministic-policy.ts";
import type { OffPolicyParts } from "./off-policy.ts";

/** Deterministic actors of all agents. */
export interface ControlActors {
  readonly networks: AgentNetworks;
  readonly head: ActionHead;
  /** Whether actions are samples in updates too, with noise, not only to explore. */
  readonly samples: boolean;
  /** Joint actions `[K, R]`. @param noise `[K, R]` */
  act(views: Views, moment: ColumnsOfMoment, noise?: Expr): Expr;
  /** What is added to each actor's loss, `[N]`: the mean square of what its last layer gives, weighted. */
  penalty(views: Views, moment: ColumnsOfMoment): Expr;
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
    samples: head.noise === "gumbel",
    act: (views, moment, noise) => run(head, views, moment, noise),
    penalty(views, moment) {
      if (config.actionPenalty === 0) return filled("float32", [spec.agents], 0);
      const size = meanOfAgents(spec, mean(square(run(bare, views, moment)), [1]));
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

/** How a team of deterministic actors is played, explores and is exported. */
export function controlPolicy(
  engine: Engine,
  options: DeterministicPolicyOptions,
): Pick<OffPolicyParts, "createPolicy" | "exportPolicy" | "exportPolicies"> {
  const { spec } = options;
  const policy = deterministicPolicy(engine, options);
  return {
    exportPolicy: policy.export,
    exportPolicies: policy.exportEach,
    async createPolicy(size) {
      const noisy = await policy.create(size);
      const width = noisy.actions.length / size;
      return {
        ...noisy,
        async choose(exploration) {
          if (exploration === undefined || exploration.epsilon === 0) return noisy.choose(exploration);
          // The steps at the beginning whose actions are drawn: see `controlLoop`.
          for (let b = 0; b < size; b++) {
            drawActions(spec, exploration.rng, noisy.actions.subarray(b * width, (b + 1) * width));
          }
        },
      };
    },
  };
}

/** Noise that a training program reads. */
export interface NoiseInputs {
  /** `[K, R]` each. */
  readonly inputs: Readonly<
    Record<
      string,
      { readonly dtype: "float32"; readonly shape: readonly number[]; readonly values: Float32Array }
    >
  >;
  draw(rng: Rng): void;
}

/** @param kinds standard distributions of inputs by name, in the order in which they are drawn */
export function noiseInputs(
  [width, count]: readonly [number, number],
  kinds: Readonly<Record<string, ActionHead["noise"]>>,
): NoiseInputs {
  const drawn = Object.entries(kinds).map(
    ([name, kind]) => [name, kind, new Float32Array(width * count)] as const,
  );
  return {
    inputs: Object.fromEntries(
      drawn.map(([name, , values]) => [name, { dtype: "float32", shape: [width, count], values }] as const),
    ),
    draw(rng) {
      for (const [, kind, values] of drawn) {
        if (kind === "gumbel") rng.fillGumbel(values);
        else rng.fillNormal(values);
      }
    },
  };
}
