import type { DagSamples } from "corral/algorithms";
import { InputError } from "corral/errors";
import pc from "picocolors";
import { dagEdges, describeDag } from "../../papers/index.ts";
import { type DagPanel, renderDags, svgToPng } from "../../plot/index.ts";
import { openRun, writeFileAtomic } from "../../runs/index.ts";
import type { CommonOptions, Context } from "../context.ts";
import { brief, grouped, printJson, table } from "../output.ts";
import { runTitle } from "../run-view.ts";
import { watchDags } from "../watch-dags.ts";

interface GraphOptions extends CommonOptions {
  readonly state?: readonly string[];
  readonly samples: number;
  readonly noisy?: boolean;
  readonly seed: number | string;
  readonly draw?: string;
}

/** A table of more agents than this does not fit a terminal. */
const MOST_LISTED = 20;
/** Then so many of the most frequent edges are listed. */
const MOST_EDGES = 30;

/** `corral graph`: the DAG over agents that a trained team follows, in one state or over many. */
export async function graph(context: Context, directory: string, options: GraphOptions): Promise<void> {
  const { state: given, samples, noisy = false, seed, draw, json } = options;
  const ending = draw === undefined ? undefined : /\.(svg|png)$/i.exec(draw)?.[1].toLowerCase();
  if (draw !== undefined && ending === undefined) {
    throw new InputError(`--draw ${draw}: expected a name that ends in .svg or .png`);
  }
  const states = given?.map(readState);
  const found = await watchDags(context, directory, { states, samples, noisy }, seed);
  const run = openRun(directory);

  const { agents, count, source } = found;
  const shares = edgeShares(found);
  const density =
    agents < 2 ? 0 : shares.flat().reduce((sum, share) => sum + share, 0) / ((agents * (agents - 1)) / 2);
  const isOne = count === 1;
  const where = describeMoments(found, states, isOne);
  const title = runTitle(run);
  if (draw !== undefined) {
    const how = source === "learned" ? (noisy ? ", under noise" : ", the likeliest") : "";
    const caption = `${title}. dag=${source}${how}; ${where}.`;
    const svg = isOne ? drawOne(found, caption) : drawMany(found, shares, caption);
    writeFileAtomic(draw, ending === "png" ? svgToPng(svg) : svg);
  }
  if (json) {
    return printJson({
      directory,
      seed,
      dag: source,
      noisy,
      agents,
      samples: count,
      density,
      ...(isOne ? describeDag(found) : { ...(states === undefined ? {} : { states }), shares }),
    });
  }
  console.log(`${pc.bold(title)}: ${where}`);
  console.log(`dag=${source}, density ${brief(density)}\n`);
  if (isOne) console.log(listOne(found));
  else console.log(agents <= MOST_LISTED ? listShares(shares) : listEdges(shares));
  if (draw !== undefined) console.log(`\n  figure  ${draw}`);
}

/** Numbers of a state, separated by commas or blanks. */
function readState(text: string): number[] {
  const words = text.split(/[\s,]+/).filter(Boolean);
  const numbers = words.map(Number);
  if (words.length === 0 || !numbers.every(Number.isFinite)) {
    throw new InputError(`--state ${text}: expected numbers separated by commas, such as 0,1,0`);
  }
  return numbers;
}

/** In how many of the DAGs the agent of the row is a parent of that of the column, `[N][N]`. */
function edgeShares({ agents, count, parents }: DagSamples): number[][] {
  const shares = Array.from({ length: agents }, () => new Array<number>(agents).fill(0));
  for (let k = 0; k < parents.length; k++) {
    if (parents[k] !== 0) shares[k % agents][Math.floor(k / agents) % agents]++;
  }
  return shares.map((row) => row.map((edges) => edges / count));
}

function describeMoments(
  { count, states: seen }: DagSamples,
  states: readonly (readonly number[])[] | undefined,
  isOne: boolean,
): string {
  const list = (state: ArrayLike<number>) => Array.from(state, brief).join(",");
  if (isOne) return `state ${list(seen)}`;
  if (states === undefined) return `${grouped(count)} states of play`;
  if (states.length === 1) return `${grouped(count)} draws in state ${list(states[0])}`;
  return states.length === count
    ? `${states.length} given states`
    : `${grouped(count)} draws in ${states.length} given states`;
}

/** Agents in the order in which they act, each with whom it reads and who reads it. */
function listOne(found: DagSamples): string {
  const edges = dagEdges(found);
  const list = (agents: readonly number[]) => (agents.length === 0 ? pc.dim("-") : agents.join(", "));
  // Where the state has a number for each agent it is told.
  const own = found.states.length === found.agents;
  return table(
    ["agent", ...(own ? ["state"] : []), "reads", "is read by", "action"],
    Array.from(found.order, (agent) => [
      String(agent),
      ...(own ? [brief(found.states[agent])] : []),
      list(edges.filter(([, child]) => child === agent).map(([parent]) => parent)),
      list(edges.filter(([parent]) => parent === agent).map(([, child]) => child)),
      String(found.actions[agent]),
    ]),
    [0, ...(own ? [1] : []), own ? 4 : 3],
  );
}

const percent = (share: number): string => `${(100 * share).toFixed(share > 0 && share < 0.0995 ? 1 : 0)} %`;

function listShares(shares: readonly (readonly number[])[]): string {
  const agents = shares.map((_, i) => String(i));
  const rows = shares.map((row, parent) => [
    `${pc.bold(agents[parent])} is read by`,
    ...row.map((share, child) => (child === parent || share === 0 ? pc.dim("-") : percent(share))),
  ]);
  return table(
    ["", ...agents],
    rows,
    agents.map((_, k) => k + 1),
  );
}

function listEdges(shares: readonly (readonly number[])[]): string {
  const edges = shares
    .flatMap((row, parent) => row.map((share, child) => ({ parent, child, share })))
    .filter(({ share }) => share > 0)
    .sort((a, b) => b.share - a.share || a.parent - b.parent || a.child - b.child);
  const rows = edges
    .slice(0, MOST_EDGES)
    .map(({ parent, child, share }) => [`${parent} → ${child}`, percent(share)]);
  const more = edges.length - rows.length;
  return table(["edge", "share"], rows, [1]) + (more > 0 ? `\n\n  and ${grouped(more)} more` : "");
}

/** One DAG on a line in the order in which agents act and, where agents stand somewhere, there too. */
function drawOne(found: DagSamples, caption: string): string {
  const { agents, positions, states, actions, order } = found;
  const edges = dagEdges(found).map(([parent, child]) => ({ parent, child }));
  const own = states.length === agents;
  const nodes = Array.from({ length: agents }, (_, i) => ({
    below: `${own ? `${brief(states[i])} → ` : ""}${actions[i]}`,
  }));
  const panels: DagPanel[] = [
    { title: "In the order in which agents act", nodes, edges, layout: { kind: "order", order } },
  ];
  if (positions !== undefined) {
    const places = Array.from(
      { length: agents },
      (_, i) => [positions[2 * i], positions[2 * i + 1]] as const,
    );
    // Edges run everywhere here: what stands below agents is told above.
    panels.push({
      title: "Where they stand",
      nodes: nodes.map(() => ({})),
      edges,
      layout: { kind: "places", places },
    });
  }
  return renderDags({
    title: "Who reads whose action",
    caption: `${caption} Arrows lead to the agent that reads. Below each agent ${own ? "its number of the state and " : ""}its likeliest action.`,
    rows: panels.map((panel) => [panel]),
  });
}

function drawMany({ agents }: DagSamples, shares: readonly (readonly number[])[], caption: string): string {
  const edges = shares.flatMap((row, parent) =>
    row.flatMap((share, child) => (share === 0 ? [] : [{ parent, child, share }])),
  );
  return renderDags({
    title: "Who reads whose action, and how often",
    caption: `${caption} Arrows lead to the agent that reads; the wider and darker, the more often.`,
    rows: [[{ nodes: Array.from({ length: agents }, () => ({})), edges, layout: { kind: "circle" } }]],
  });
}
