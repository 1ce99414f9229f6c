import type { EnvSpec } from "../envs/index.ts";
import {
  type AgentNetworks,
  actionRows,
  agentNetworks,
  joinRows,
  observationRows,
  selectRows,
} from "../models/index.ts";
import { add, concat, constant, type Expr, mul, reshape, sub, type Views } from "../tensor/index.ts";
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
  const values = (views: Views, ofGroups: readonly Expr[]): Expr =>
    joinRows(
      groups,
      networks.apply(views, ofGroups),
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
      values(
        views,
        groups.map(() => reshape(seen, [1, ...seen.shape])),
      ),
    valuesOfOwn(views, taken, renewed) {
      const change = sub(renewed, taken);
      const ofGroups = groups.map(({ agents }) => {
        const own = agents.flatMap((agent) => {
          const mine = new Array<number>(inputs).fill(0);
          for (const row of rows[agent]) mine[first + row] = 1;
          return mine;
        });
        return add(taken, mul(change, constant("float32", [agents.length, inputs, 1], own)));
      });
      return values(views, ofGroups);
    },
  };
}
