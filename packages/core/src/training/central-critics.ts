import type { EnvSpec } from "../envs/index.ts";
import {
  type AgentNetworks,
  actionRows,
  agentNetworks,
  joinRows,
  observationRows,
  selectRows,
} from "../models/index.ts";
import {
  add,
  concat,
  constant,
  type Expr,
  filled,
  matMul,
  reshape,
  sub,
  type Views,
} from "../tensor/index.ts";
import { type ColumnsOfMoment, criticActions } from "./control-columns.ts";

/** A critic for every agent, each of which sees what all agents see and do. */
export interface CentralCritics {
  readonly networks: AgentNetworks;
  /** What critics see, `[D, R]`. @param actions of all agents, `[K, R]` */
  seen(moment: ColumnsOfMoment, actions: Expr): Expr;
  /** What each critic makes of the same, `[D, R] -> [N, R]`. */
  values(views: Views, seen: Expr): Expr;
  /** What each agent's critic makes of `taken`, except for that agent's own action, which is the one in `renewed`: `[N, R]`. */
  valuesOfOwn(views: Views, taken: Expr, renewed: Expr): Expr;
}

export interface CentralCriticOptions {
  readonly criticHidden: readonly number[];
  /** Whether critics see all observations or the state. */
  readonly criticInput: "observations" | "state";
}

export function centralCritics(
  name: string,
  spec: EnvSpec,
  { criticHidden, criticInput }: CentralCriticOptions,
): CentralCritics {
  const observed = observationRows(spec).flat();
  const rows = actionRows(spec);
  const first = criticInput === "state" ? spec.stateSize : observed.length;
  const inputs = first + rows.flat().length;
  const sizes = rows.map(() => ({ inputs, outputs: 1 }));
  const networks = agentNetworks(name, { sizes, hidden: criticHidden });
  const { groups } = networks;
  const ofAgents = (parts: readonly Expr[]): Expr =>
    joinRows(
      groups,
      parts,
      rows.map((_, agent) => [agent]),
    );

  return {
    networks,
    seen({ observations, states }, actions) {
      const size = actions.shape[1];
      const before =
        criticInput === "state" ? states : reshape(selectRows(observations, [observed]), [first, size]);
      return concat([before, criticActions(spec, actions)], 0);
    },
    values: (views, seen) =>
      ofAgents(
        networks.apply(
          views,
          groups.map(() => reshape(seen, [1, ...seen.shape])),
        ),
      ),
    valuesOfOwn(views, taken, renewed) {
      // Actions of fewer numbers are filled up with what no agent's action changes.
      const width = Math.max(...rows.map(({ length }) => length));
      const change = concat([sub(renewed, taken), filled("float32", [1, taken.shape[1]], 0)], 0);
      const parts = groups.map(({ agents }, group) => {
        const own = agents.map((agent) =>
          Array.from({ length: width }, (_, k) => (k < rows[agent].length ? first + rows[agent][k] : inputs)),
        );
        // The first layer sees what was taken once, and what is new about an agent's action by its own weights.
        const chosen = own.flatMap((mine) =>
          Array.from({ length: inputs }, (_, row) => mine.map((each) => (each === row ? 1 : 0))).flat(),
        );
        const { weights } = networks.stacks(views, group, 0);
        const ofOwn = matMul(weights, constant("float32", [agents.length, inputs, width], chosen));
        const before = networks.layer(views, group, 0, reshape(taken, [1, ...taken.shape]));
        return networks.beyondFirst(views, group, add(before, matMul(ofOwn, selectRows(change, own))));
      });
      return ofAgents(parts);
    },
  };
}
