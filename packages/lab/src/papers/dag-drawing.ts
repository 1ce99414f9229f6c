import type { DagSamples } from "corral/algorithms";
import { type DagPanel, renderDags } from "../plot/index.ts";

/** The edges of the first of some DAGs, by parent and child. */
export const dagEdges = ({ agents, parents }: DagSamples): [parent: number, child: number][] =>
  Array.from(parents.subarray(0, agents * agents), (edge, k): [number, number] => [edge, k])
    .filter(([edge]) => edge !== 0)
    .map(([, k]): [number, number] => [k % agents, Math.floor(k / agents)])
    .sort((a, b) => a[0] - b[0] || a[1] - b[1]);

/** The first of some DAGs in words and numbers. */
export const describeDag = (found: DagSamples) => ({
  state: [...found.states.subarray(0, found.states.length / found.count)],
  order: [...found.order.subarray(0, found.agents)],
  edges: dagEdges(found),
  actions: [...found.actions.subarray(0, found.agents)],
  reward: found.rewards[0],
});

/** What the DAGs of a run say in single numbers: `dags/density`, and `dags/reward` of the likeliest actions under them. */
export function dagMeasures({ agents, count, parents, rewards }: DagSamples): Record<string, number> {
  const edges = parents.reduce((sum, edge) => sum + edge, 0);
  return {
    "dags/density": edges / (count * ((agents * (agents - 1)) / 2)),
    "dags/reward": rewards.reduce((sum, reward) => sum + reward, 0) / count,
  };
}

/** The first DAG of each curve where the agents stand, those who act filled; one agent's parents stand out. */
export function drawDags(
  drawn: readonly { readonly series: string; readonly found: DagSamples }[],
  { title, caption, child }: { readonly title: string; readonly caption: string; readonly child: number },
): string {
  const panels = drawn.map(({ series, found }): DagPanel => {
    const { agents, positions } = found;
    const { actions, reward } = describeDag(found);
    const edges = dagEdges(found).map(([from, to]) => ({ parent: from, child: to }));
    const read = edges.filter((edge) => edge.child === child).map(({ parent }) => parent);
    const reads = read.length === 0 ? "reads nobody" : `reads ${read.join(", ")}`;
    const places = Array.from({ length: agents }, (_, i) =>
      positions === undefined ? ([i, 0] as const) : ([positions[2 * i], positions[2 * i + 1]] as const),
    );
    return {
      title: series,
      note: `${edges.length} edges; agent ${child} ${reads}; pays ${Number(reward.toPrecision(3))}`,
      nodes: actions.map((action) => (action === 0 ? {} : { filled: true })),
      edges,
      layout: { kind: "places", places },
      child,
    };
  });
  return renderDags({ title, caption, rows: [panels] });
}
