import { InputError } from "../errors.ts";
import { type ActionGraph, nodeLabels } from "../structure/index.ts";

/** How much nodes attend to each other on average, and what that says about agents and actions. */
export interface AttentionMap {
  /** `[M][M]`: rows are the nodes that attend. A row is zeros where its node was never available. */
  readonly weights: readonly (readonly number[])[];
  /** Share of a row that goes to other agents' nodes: mean over rows. */
  readonly crossAgent: number;
  /** Share of a row that goes to its own agent's nodes: mean over rows. */
  readonly sameAgent: number;
  /** `[x][y]`: share that goes to action y of other agents, mean over the rows of action x; `[A][A]`. */
  readonly crossAgentByAction: readonly (readonly number[])[];
  /** Entropy of a row over that of even attention to all nodes, 0 to 1: mean over rows. */
  readonly entropy: number;
}

/** The attention of a network of action graphs, averaged over samples. Plain numbers, for JSON. */
export interface AttentionReport {
  /** Names of the nodes, `[M]`, for example `agent 0: act 1`. */
  readonly labels: readonly string[];
  readonly samples: number;
  readonly layers: readonly {
    readonly heads: readonly AttentionMap[];
    /** The mean of the heads. */
    readonly mean: AttentionMap;
  }[];
}

/**
 * Averages attention over samples, head by head and over heads. Rows of nodes that are unavailable in a sample are left out
 * of the average.
 *
 * @param layers attention weights of each layer, `[K, heads, M, M]`
 * @param available 1 for each action that may be played, `[K, N, A]`
 * @throws InputError when weights do not fit the graph or the samples
 */
export function attentionReport(
  nodes: ActionGraph,
  layers: readonly Float32Array[],
  samples: number,
  available?: Float32Array,
): AttentionReport {
  const isAvailable = availabilityOf(nodes, samples, available);
  return {
    labels: nodeLabels(nodes),
    samples,
    layers: layers.map((weights, layer) => {
      const size = nodes.nodes * nodes.nodes;
      const heads = weights.length / (samples * size);
      if (!Number.isInteger(heads) || heads === 0) {
        throw new InputError(
          `attention of layer ${layer}: got ${weights.length} weights, expected a multiple of ${samples * size} (${samples} samples, ${nodes.nodes} nodes)`,
        );
      }
      const maps = averages(nodes, weights, samples, heads, isAvailable);
      const mean = maps[0].map((_, at) => maps.reduce((total, map) => total + map[at], 0) / heads);
      return { heads: maps.map((map) => describe(nodes, map)), mean: describe(nodes, mean) };
    }),
  };
}

/** One line for each weight: layer, head (`mean` for their mean), row and column label, weight. */
export function attentionCsv({ labels, layers }: AttentionReport): string {
  const lines = ["layer,head,from,to,weight"];
  layers.forEach(({ heads, mean }, layer) => {
    for (const [head, { weights }] of [...heads.entries(), ["mean", mean] as const]) {
      weights.forEach((row, m) => {
        row.forEach((weight, n) => {
          lines.push(`${layer},${head},${labels[m]},${labels[n]},${weight}`);
        });
      });
    }
  });
  return `${lines.join("\n")}\n`;
}

/** Whether a node may be played in a sample. */
function availabilityOf(
  { agents, agentOf, actionOf, nodes }: ActionGraph,
  samples: number,
  available?: Float32Array,
): (sample: number, node: number) => boolean {
  if (available === undefined) return () => true;
  const actions = available.length / (samples * agents);
  if (!Number.isInteger(actions) || actions < 1 + actionOf.reduce((most, x) => Math.max(most, x), 0)) {
    throw new InputError(
      `attention: got ${available.length} available actions, expected ${samples} samples of ${agents} agents and ${nodes} nodes`,
    );
  }
  return (sample, node) => available[(sample * agents + agentOf[node]) * actions + actionOf[node]] === 1;
}

/** Mean map of each head, `[heads][M * M]`. */
function averages(
  { nodes }: ActionGraph,
  weights: Float32Array,
  samples: number,
  heads: number,
  isAvailable: (sample: number, node: number) => boolean,
): Float64Array[] {
  const maps = Array.from({ length: heads }, () => new Float64Array(nodes * nodes));
  for (let m = 0; m < nodes; m++) {
    let count = 0;
    for (let k = 0; k < samples; k++) {
      if (!isAvailable(k, m)) continue;
      count++;
      for (let head = 0; head < heads; head++) {
        const start = ((k * heads + head) * nodes + m) * nodes;
        for (let n = 0; n < nodes; n++) maps[head][m * nodes + n] += weights[start + n];
      }
    }
    for (const map of maps) {
      for (let n = 0; n < nodes && count > 0; n++) map[m * nodes + n] /= count;
    }
  }
  return maps;
}

function describe({ nodes, agentOf, actionOf }: ActionGraph, map: Float64Array): AttentionMap {
  const actions = 1 + actionOf.reduce((most, x) => Math.max(most, x), 0);
  const byAction = Array.from({ length: actions }, () => new Array<number>(actions).fill(0));
  const rowsOfAction = new Array<number>(actions).fill(0);
  const weights: number[][] = [];
  let rows = 0;
  let crossAgent = 0;
  let sameAgent = 0;
  let entropy = 0;
  for (let m = 0; m < nodes; m++) {
    const row = Array.from(map.subarray(m * nodes, (m + 1) * nodes));
    weights.push(row);
    if (row.every((weight) => weight === 0)) continue;
    rows++;
    rowsOfAction[actionOf[m]]++;
    row.forEach((weight, n) => {
      if (agentOf[n] === agentOf[m]) sameAgent += weight;
      else {
        crossAgent += weight;
        byAction[actionOf[m]][actionOf[n]] += weight;
      }
      if (weight > 0) entropy -= weight * Math.log(weight);
    });
  }
  const overRows = (total: number, count: number): number => (count === 0 ? 0 : total / count);
  return {
    weights,
    crossAgent: overRows(crossAgent, rows),
    sameAgent: overRows(sameAgent, rows),
    crossAgentByAction: byAction.map((totals, x) => totals.map((total) => overRows(total, rowsOfAction[x]))),
    entropy: overRows(entropy, nodes === 1 ? 0 : rows * Math.log(nodes)),
  };
}
