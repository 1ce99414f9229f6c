import { InputError } from "corral/errors";
import {
  type GraphEdge,
  type GraphNode,
  type GraphPanel,
  type GraphText,
  onCircle,
  renderGraphs,
} from "./graphs.ts";
import { palette } from "./style.ts";

/** More agents than this cannot be told apart on a page. */
const MOST_AGENTS = 40;

/** Room for a title and some words below, in pixels. */
const leastWidth = 380;

/** An edge of a DAG over agents. */
interface DagEdge {
  readonly parent: number;
  readonly child: number;
  /** In how many of several DAGs it is, in `(0, 1]`: its width and how dark it is. */
  readonly share?: number;
}

/** An agent of a DAG. */
interface DagNode {
  /** Short text below it. */
  readonly below?: string;
  readonly filled?: boolean;
}

/** One DAG over agents, or how often each edge is in several. */
export interface DagPanel {
  readonly title?: string;
  /** Under the title. */
  readonly note?: string;
  /** By agent. */
  readonly nodes: readonly DagNode[];
  readonly edges: readonly DagEdge[];
  /** On a line in the order in which they act, on a circle, or where they stand (x to the right, y downwards). */
  readonly layout:
    | { readonly kind: "order"; readonly order: ArrayLike<number> }
    | { readonly kind: "circle" }
    | { readonly kind: "places"; readonly places: readonly (readonly [x: number, y: number])[] };
  /** The only agent whose parents are drawn strongly; all others are faint. */
  readonly child?: number;
}

interface DagFigure {
  readonly title?: string;
  readonly caption?: string;
  readonly rows: readonly (readonly DagPanel[])[];
}

/**
 * Draws DAGs over agents as an SVG document: arrows run from parents to the agents that read their actions. Equal figures
 * give equal bytes.
 *
 * @throws InputError when there are more than 40 agents
 */
export function renderDags({ title, caption, rows }: DagFigure): string {
  const agents = Math.max(...rows.flat().map(({ nodes }) => nodes.length));
  if (agents > MOST_AGENTS) {
    throw new InputError(`drawing: got ${agents} agents, expected at most ${MOST_AGENTS}`);
  }
  return renderGraphs({ title, caption, rows: rows.map((row) => row.map(panelOf)) });
}

function panelOf(panel: DagPanel): GraphPanel {
  if (panel.layout.kind === "order") return inOrder(panel, panel.layout.order);
  if (panel.layout.kind === "circle") return aroundCircle(panel);
  return inPlace(panel, panel.layout.places);
}

/**
 * A line of agents from left to right, so that every arrow leads to the right: between neighbours straight, otherwise in
 * bows, above and below in turn by the parent.
 */
function inOrder(panel: DagPanel, order: ArrayLike<number>): GraphPanel {
  const { nodes, edges } = panel;
  const gap = nodes.length <= 12 ? 58 : 44;
  const rankOf = new Map(Array.from(order, (agent, rank) => [agent, rank]));
  const rank = (agent: number) => rankOf.get(agent)!;
  const reach = (side: number) =>
    Math.max(
      0,
      ...edges
        .filter(({ parent, child }) => rank(child) - rank(parent) > 1 && rank(parent) % 2 === side)
        .map(({ parent, child }) => BOW * (rank(child) - rank(parent)) * gap),
    );
  const radius = 12;
  const above = Math.max(radius, reach(0)) + 6;
  const below = Math.max(radius, reach(1)) + 22;
  const width = Math.max(leastWidth, (nodes.length - 1) * gap + 2 * radius + 4);
  const left = (width - (nodes.length - 1) * gap) / 2;
  return {
    ...headOf(panel),
    width,
    height: above + below,
    nodeRadius: radius,
    headLength: 7,
    edges: edges.map(({ parent, child, share }): GraphEdge => {
      const near = rank(child) - rank(parent) === 1;
      return {
        from: parent,
        to: child,
        // Colours tell the parents apart, as far as there are any.
        colour: nodes.length <= palette.length ? palette[rank(parent)] : palette[0],
        ...strength(share),
        ...(near ? {} : { bow: rank(parent) % 2 === 0 ? BOW : -BOW }),
      };
    }),
    ...placed(nodes, (agent) => ({ x: left + rank(agent) * gap, y: above }), radius),
  };
}

/** Height of a bow in shares of its width. */
const BOW = 0.24;

function aroundCircle(panel: DagPanel): GraphPanel {
  const { nodes, edges } = panel;
  const count = nodes.length;
  const radius = count <= 16 ? 12 : 9;
  const side = count <= 6 ? 260 : count <= 16 ? 340 : 460;
  const centre = side / 2;
  const opposite = new Set(edges.map(({ parent, child }) => child * count + parent));
  const circle = placed(nodes, (agent) => onCircle(agent / count, centre, centre - radius - 6), radius);
  // Lines from nothing to nothing that say what widths mean.
  const samples = [1, 0.5, 0.25, 0.1].map((share, k) => ({
    share,
    y: centre - 30 + 20 * k,
    at: count + 2 * k,
  }));
  return {
    ...headOf(panel),
    width: Math.max(leastWidth, side + 100),
    height: side,
    nodeRadius: radius,
    headLength: 7,
    // The strongest lie on top.
    edges: [...edges]
      .sort((a, b) => (a.share ?? 1) - (b.share ?? 1))
      .map(({ parent, child, share }) => ({
        from: parent,
        to: child,
        colour: palette[0],
        ...strength(share),
        ...(opposite.has(parent * count + child) ? { bow: 0.07 } : {}),
      }))
      .concat(
        samples.map(({ share, at }) => ({ from: at, to: at + 1, colour: palette[0], ...strength(share) })),
      ),
    nodes: [
      ...circle.nodes,
      ...samples.flatMap(({ y }) => [side + 20, side + 58].map((x): GraphNode => ({ x, y, shape: "none" }))),
    ],
    texts: [
      ...circle.texts,
      ...samples.map(({ share, y }): GraphText => ({ x: side + 66, y, text: `${100 * share} %` })),
    ],
  };
}

function inPlace(panel: DagPanel, places: readonly (readonly [number, number])[]): GraphPanel {
  const { nodes, edges, child: only } = panel;
  const radius = 13;
  const [xs, ys] = [places.map(([x]) => x), places.map(([, y]) => y)];
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  const [spanX, spanY] = [Math.max(...xs) - left, Math.max(...ys) - top];
  // Neighbours are far enough apart for their names; a crowd is as wide as a page.
  const scale = Math.min(84 / nearest(places), 460 / Math.max(spanX, spanY, 1e-9));
  const margin = radius + 34;
  const at = (agent: number) => ({
    x: margin + (xs[agent] - left) * scale,
    y: margin + (ys[agent] - top) * scale,
  });
  const isFaint = ({ child }: DagEdge): boolean => only !== undefined && child !== only;
  const faintFirst = [...edges.filter(isFaint), ...edges.filter((edge) => !isFaint(edge))];
  const drawn = faintFirst.map((edge): GraphEdge => {
    const { parent, child, share } = edge;
    const faint = isFaint(edge);
    const passes = places.some(
      (place, agent) =>
        agent !== parent && agent !== child && isBetween(place, places[parent], places[child]),
    );
    return {
      from: parent,
      to: child,
      colour: faint ? "#8a94a6" : palette[0],
      ...(faint ? { width: 0.8, opacity: 0.45 } : strength(share)),
      ...(passes ? { bow: 0.16 } : { bow: 0.05 }),
    };
  });
  return {
    ...headOf(panel),
    width: Math.max(190, 2 * margin + spanX * scale),
    height: 2 * margin + spanY * scale,
    nodeRadius: radius,
    headLength: 7,
    edges: drawn,
    ...placed(nodes, at, radius),
  };
}

/** The least distance of two places. */
function nearest(places: readonly (readonly [number, number])[]): number {
  let least = Infinity;
  places.forEach(([x, y], i) => {
    for (const [otherX, otherY] of places.slice(0, i))
      least = Math.min(least, Math.hypot(x - otherX, y - otherY));
  });
  return Math.max(least, 1e-9);
}

/** Whether a place lies on the line between two others, or so near it that a node there would cover the line. */
function isBetween(
  [x, y]: readonly [number, number],
  [fromX, fromY]: readonly [number, number],
  [toX, toY]: readonly [number, number],
): boolean {
  const [dx, dy] = [toX - fromX, toY - fromY];
  const length = Math.hypot(dx, dy) || 1;
  const along = ((x - fromX) * dx + (y - fromY) * dy) / length;
  const aside = Math.abs((x - fromX) * dy - (y - fromY) * dx) / length;
  return along > 0.05 * length && along < 0.95 * length && aside < 0.12 * length;
}

const headOf = ({ title, note }: DagPanel) => ({
  ...(title === undefined ? {} : { title }),
  ...(note === undefined ? {} : { note }),
});

/** Width and opacity of an edge that is in this share of the DAGs. */
function strength(share: number | undefined): { width: number; opacity: number } {
  if (share === undefined) return { width: 1.3, opacity: 0.9 };
  return { width: Number((0.4 + 2 * share).toFixed(2)), opacity: Number((0.1 + 0.9 * share).toFixed(2)) };
}

/** Nodes with their numbers, and what stands below them. */
function placed(
  nodes: readonly DagNode[],
  at: (agent: number) => { x: number; y: number },
  radius: number,
): { nodes: GraphNode[]; texts: GraphText[] } {
  return {
    nodes: nodes.map(({ filled }, agent) => ({
      ...at(agent),
      label: String(agent),
      ...(filled === undefined ? {} : { filled }),
    })),
    texts: nodes.flatMap(({ below }, agent): GraphText[] => {
      const { x, y } = at(agent);
      return below === undefined ? [] : [{ x, y: y + radius + 9, text: below, anchor: "middle", size: 9 }];
    }),
  };
}
