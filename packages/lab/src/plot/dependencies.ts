import { InputError } from "corral/errors";
import {
  type AgentSets,
  agentSet,
  type BayesianNetwork,
  type CouplingGraphs,
  type CouplingKind,
  couplingComponents,
  couplingEdges,
  foldedNetwork,
  nodeMeaning,
} from "corral/structure";
import {
  type GraphEdge,
  type GraphNode,
  type GraphPanel,
  type GraphText,
  onCircle,
  panelGap,
  renderGraphs,
} from "./graphs.ts";
import { palette } from "./style.ts";

/** More agents than this cannot be told apart on a page. */
const MOST_AGENTS = 60;
/** Up to so many agents there is room for a number inside each node. */
const FEW_AGENTS = 24;
/** Between two components, in places of an agent. */
const COMPONENT_GAP = 0.7;

const colours = {
  state: palette[0],
  observation: palette[1],
  reward: palette[2],
  value: palette[9],
  gradient: palette[7],
  criticSum: "#4d4d4d",
  own: "#b9bec6",
} as const;

/** The dependency sets of one set of coupling graphs. */
export interface DependencyFigure {
  readonly title?: string;
  readonly graphs: CouplingGraphs;
  /** Value dependency sets of the graphs, however they are cut off. */
  readonly value: AgentSets;
  readonly gradient: AgentSets;
  readonly criticSum: AgentSets;
}

/**
 * Draws who matters to whose value as one SVG document: the three coupling graphs, the folded Bayesian network, and the
 * dependency graphs that follow from them. Agents are counted from 0; those of one component stand together.
 *
 * @throws InputError when there are more than 60 agents
 */
export function renderDependencies({ title, graphs, value, gradient, criticSum }: DependencyFigure): string {
  const { agents } = graphs;
  if (agents > MOST_AGENTS) {
    throw new InputError(`drawing: got ${agents} agents, expected at most ${MOST_AGENTS}`);
  }
  const side = agents <= FEW_AGENTS ? 222 : 290;
  const order = byComponent(graphs);
  const coupling = (kind: CouplingKind, name: string, meaning: string): GraphPanel => {
    const edges = couplingEdges(graphs, kind);
    return circle(
      side,
      order,
      edges,
      colours[kind],
      name,
      edges.length === 0 ? "no edges" : `j → i: ${meaning}`,
    );
  };
  const dependency = (sets: AgentSets, colour: string, name: string, meaning: string): GraphPanel => {
    const edges = order.agents.flatMap((i) =>
      [...agentSet(sets, i)].filter((j) => j !== i).map((j): [number, number] => [j, i]),
    );
    const complete = agents > 1 && edges.length === agents * (agents - 1) ? "; complete" : "";
    return circle(side, order, edges, colour, name, `j → i: ${meaning}${complete}`);
  };
  const width = 3 * side + 2 * panelGap;
  return renderGraphs({
    title,
    caption: `Every agent is also joined with itself, which is drawn in d alone.${agents <= FEW_AGENTS ? "" : " Lines without arrowheads lead both ways."}`,
    rows: [
      [
        coupling("state", "a  State graph", "j enters the next state of i"),
        coupling("observation", "b  Observation graph", "i observes the state of j"),
        coupling("reward", "c  Reward graph", "j enters the reward of i"),
      ],
      [network(graphs, order, width)],
      [
        dependency(value, colours.value, "e  Value dependency", "the value of i depends on j"),
        dependency(gradient, colours.gradient, "f  Gradient dependency", "i learns from the value of j"),
        dependency(criticSum, colours.criticSum, "g  Critic sum", "what i learns from depends on j"),
      ],
    ],
  });
}

/** Agents in the order they are drawn in, each with its place: one apart, with a gap around components of several agents. */
interface Order {
  readonly agents: readonly number[];
  /** By agent. */
  readonly places: readonly number[];
  /** From the first place to behind the last. */
  readonly length: number;
  /** The same on a circle, where the last agent stands beside the first. */
  readonly turn: number;
}

/** Component after component by smallest agent, and in each by agent: a team without separate parts keeps its order. */
function byComponent(graphs: CouplingGraphs): Order {
  const { groupOf, starts, ids } = couplingComponents(graphs);
  const first = (agent: number): number => ids[starts[groupOf[agent]]];
  const alone = (agent: number): boolean => starts[groupOf[agent] + 1] - starts[groupOf[agent]] === 1;
  const step = (one: number, next: number): number =>
    groupOf[one] === groupOf[next] || (alone(one) && alone(next)) ? 1 : 1 + COMPONENT_GAP;
  const agents = Array.from(groupOf, (_, i) => i).sort((i, j) => first(i) - first(j) || i - j);
  const places: number[] = [];
  let place = 0;
  agents.forEach((agent, k) => {
    if (k > 0) place += step(agents[k - 1], agent);
    places[agent] = place;
  });
  return { agents, places, length: place + 1, turn: place + step(agents[agents.length - 1], agents[0]) };
}

/** A graph with its nodes on a circle. Self loops are not drawn. */
function circle(
  side: number,
  { agents, places, turn }: Order,
  edges: readonly (readonly [from: number, to: number])[],
  colour: string,
  title: string,
  note: string,
): GraphPanel {
  const count = agents.length;
  const few = count <= FEW_AGENTS;
  const nodeRadius = few ? (count <= 12 ? 10.5 : 8.5) : 3.4;
  const centre = side / 2;
  const radius = centre - (few ? nodeRadius + 4 : 16);
  const joined = new Set(edges.map(([from, to]) => from * count + to));
  const crowding = edges.length / (few ? 6 : 3) / count;
  const drawn = edges
    .filter(([from, to]) => from < to || !joined.has(to * count + from))
    .map(([from, to]): GraphEdge => {
      const mutual = joined.has(to * count + from);
      return {
        from,
        to,
        colour,
        width: crowding > 1 ? 0.8 : few ? 1.3 : 1,
        opacity: Math.max(0.25, Math.min(0.9, 0.9 / crowding)),
        heads: mutual ? (few && crowding <= 1 ? "both" : "none") : "to",
      };
    });
  const at = (i: number, distance: number) => onCircle(places[i] / turn, centre, distance);
  return {
    title,
    note,
    width: side,
    height: side,
    nodeRadius,
    headLength: few && crowding <= 1 ? 7 : 5,
    edges: drawn,
    nodes: places.map((_, i) => ({ ...at(i, radius), ...(few && { label: String(i) }) })),
    texts: few
      ? []
      : places.map(
          (_, i): GraphText => ({ ...at(i, radius + 11), text: String(i), anchor: "middle", size: 7.5 }),
        ),
  };
}

const rowHeight = 46;

/** The folded network: time runs downwards, every agent has a column. */
function network(graphs: CouplingGraphs, order: Order, width: number): GraphPanel {
  const { agents } = graphs;
  const folded = foldedNetwork(graphs);
  const left = 92;
  const column = (width - left - 8) / order.length;
  const nodeRadius = Math.min(10, 0.16 * column + 0.6);
  const aside = Math.min(34, 0.34 * column);
  const sliceHeight = 3.35 * rowHeight;
  const top = 28;
  const xOf = (agent: number): number => left + (order.places[agent] + 0.5) * column;
  const rowOf = { state: 0, action: 1, optimality: 2 } as const;
  const yOf = (slice: number, row: number): number => top + slice * sliceHeight + (row + 0.5) * rowHeight;
  const nodes = Array.from({ length: 6 * agents }, (_, node): GraphNode => {
    const { kind, agent, slice } = nodeMeaning(agents, node);
    const x = xOf(agent) + { state: 0, action: aside, optimality: -aside }[kind];
    const place = { x, y: yOf(slice, rowOf[kind]) };
    const shape = ({ state: "circle", action: "square", optimality: "diamond" } as const)[kind];
    const label = { state: "s", action: "a", optimality: "Z" }[kind];
    return nodeRadius > 6 ? { ...place, shape, label } : { ...place, shape };
  });
  const rowName = { state: "state", action: "action", optimality: "reward" } as const;
  const bottom = top + sliceHeight + 3 * rowHeight + 8;
  return {
    title: "d  Folded Bayesian network",
    note: "colours as in a, b and c; grey: of an agent with itself; black: its state, where the way back turns next into now",
    width,
    height: bottom,
    nodeRadius,
    headLength: agents <= 12 ? 6 : 4,
    bands: [0, 1].map((slice) => [0, top + slice * sliceHeight - 4, width, 3 * rowHeight + 8] as const),
    edges: networkEdges(folded, agents <= FEW_AGENTS),
    nodes,
    texts: [
      ...[0, 1].flatMap((slice) => [
        { x: 10, y: yOf(slice, 1), text: slice === 0 ? "now" : "next", size: 11, bold: true },
        ...(["state", "action", "optimality"] as const).map(
          (kind): GraphText => ({
            x: left - 10,
            y: yOf(slice, rowOf[kind]),
            text: rowName[kind],
            anchor: "end",
          }),
        ),
      ]),
      ...Array.from(
        { length: agents },
        (_, i): GraphText => ({
          x: xOf(i),
          y: 12,
          text: String(i),
          anchor: "middle",
          size: agents <= FEW_AGENTS ? 10.5 : 8,
          bold: agents <= FEW_AGENTS,
        }),
      ),
      { x: left - 10, y: 12, text: "agent", anchor: "end" },
    ],
  };
}

/** Edges of an agent with itself first, so that couplings lie above them. */
function networkEdges({ agents, from, to }: BayesianNetwork, few: boolean): GraphEdge[] {
  const thin = few ? { opacity: 0.9 } : { opacity: 0.75, width: 0.8 };
  const own: GraphEdge[] = [];
  const couplings: GraphEdge[] = [];
  const ways: GraphEdge[] = [];
  from.forEach((one, e) => {
    const [source, target] = [nodeMeaning(agents, one), nodeMeaning(agents, to[e])];
    // The way back is drawn with the way there.
    if (source.slice > target.slice) return;
    const edge = { from: one, to: to[e] };
    const alike = source.kind === "state" && target.kind === "state";
    if (source.agent !== target.agent) {
      const kind = { state: "state", action: "observation", optimality: "reward" } as const;
      couplings.push({ ...edge, colour: colours[kind[target.kind]], falling: true, ...thin });
    } else if (alike) ways.push({ ...edge, colour: "#222", heads: "both", width: few ? 1.4 : 0.9 });
    else own.push({ ...edge, colour: colours.own, width: few ? 1 : 0.7 });
  });
  return [...own, ...ways, ...couplings];
}
