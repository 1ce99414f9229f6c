import { textWidth } from "./layout.ts";
import { wrapText } from "./style.ts";
import { escapeXml, round, svgDocument } from "./svg.ts";

/** A node at its place in a panel, in pixels from the panel's upper left corner. */
export interface GraphNode {
  readonly x: number;
  readonly y: number;
  /** Written inside. */
  readonly label?: string;
  /** Default: `"circle"`. A node without a shape is a place for edges to begin and end. */
  readonly shape?: "circle" | "square" | "diamond" | "none";
  /** Dark, with a white label. */
  readonly filled?: boolean;
}

/** An edge between two nodes of a panel, by index. */
export interface GraphEdge {
  readonly from: number;
  readonly to: number;
  readonly colour: string;
  /** Default: 1.2 pixels. */
  readonly width?: number;
  readonly opacity?: number;
  /** Where its heads are. Default: at `to`. */
  readonly heads?: "to" | "both" | "none";
  /** Leaves downwards and arrives from above, in a curve between the rows of nodes it joins. */
  readonly falling?: boolean;
  /** How far its middle lies to the left of the straight line, in shares of the line's length. */
  readonly bow?: number;
}

/** Text in a panel. `y` is the middle of its letters. */
export interface GraphText {
  readonly x: number;
  readonly y: number;
  readonly text: string;
  readonly anchor?: "start" | "middle" | "end";
  /** Default: 9.5 pixels. */
  readonly size?: number;
  readonly bold?: boolean;
}

/** A drawing of one directed graph. */
export interface GraphPanel {
  readonly title?: string;
  /** Under the title. */
  readonly note?: string;
  readonly width: number;
  readonly height: number;
  /** Half the width of a node, in pixels. */
  readonly nodeRadius: number;
  /** Length of an arrow's head, in pixels. */
  readonly headLength: number;
  /** Rectangles behind everything else, `[x, y, width, height]`. */
  readonly bands?: readonly (readonly [x: number, y: number, width: number, height: number])[];
  /** Drawn in this order, all of them behind the nodes. */
  readonly edges: readonly GraphEdge[];
  readonly nodes: readonly GraphNode[];
  readonly texts?: readonly GraphText[];
}

export interface GraphFigure {
  readonly title?: string;
  readonly caption?: string;
  readonly rows: readonly (readonly GraphPanel[])[];
}

const padding = 14;
/** Between two panels, in pixels. */
export const panelGap = 26;
const titleHeight = 36;
const titleSize = 13.5;
const captionSize = 10.5;
const ink = "#222";

/** Draws directed graphs, panel beside panel and row under row, as an SVG document. Equal figures give equal bytes. */
export function renderGraphs({ title, caption, rows }: GraphFigure): string {
  const rowWidth = (row: readonly GraphPanel[]) =>
    row.reduce((sum, { width }) => sum + width + panelGap, -panelGap);
  const width = Math.ceil(Math.max(...rows.map(rowWidth)) + 2 * padding);
  const body: string[] = [];
  let y = padding;
  if (title !== undefined) {
    body.push(textElement({ x: padding, y: y + 7, text: title, size: titleSize, bold: true }));
    y += 26;
  }
  for (const row of rows) {
    const height = Math.max(...row.map((panel) => panel.height));
    let x = padding;
    for (const panel of row) {
      body.push(`<g transform="translate(${round(x)} ${round(y)})">`, ...panelHead(panel), "</g>");
      const top = y + titleHeight + (height - panel.height) / 2;
      body.push(`<g transform="translate(${round(x)} ${round(top)})">`, ...panelBody(panel), "</g>");
      x += panel.width + panelGap;
    }
    y += titleHeight + height + panelGap;
  }
  y -= panelGap;
  if (caption !== undefined) {
    y += 12;
    for (const line of wrapText(caption, Math.floor((width - 2 * padding) / (captionSize * 0.56)))) {
      y += 15;
      body.push(textElement({ x: padding, y: y - 4, text: line, size: captionSize }, "#444"));
    }
  }
  return svgDocument(width, Math.ceil(y + padding), body);
}

/** The place on a circle after a share of a turn, clockwise from the top. */
export function onCircle(share: number, centre: number, radius: number): { x: number; y: number } {
  const angle = 2 * Math.PI * (share - 0.25);
  return { x: centre + radius * Math.cos(angle), y: centre + radius * Math.sin(angle) };
}

function panelHead({ title, note }: GraphPanel): string[] {
  return [
    ...(title === undefined ? [] : [textElement({ x: 0, y: 7, text: title, size: 11.5, bold: true })]),
    ...(note === undefined ? [] : [textElement({ x: 0, y: 22, text: note, size: 9.5 }, "#555")]),
  ];
}

function panelBody({ bands = [], edges, nodes, texts = [], nodeRadius, headLength }: GraphPanel): string[] {
  return [
    ...bands.map(
      ([x, y, width, height]) =>
        `<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" rx="8" fill="#f4f5f7"/>`,
    ),
    ...edges.map((edge) => edgeElement(edge, nodes[edge.from], nodes[edge.to], nodeRadius, headLength)),
    ...nodes.flatMap((node) => nodeElements(node, nodeRadius)),
    ...texts.map((text) => textElement(text)),
  ];
}

function nodeElements(
  { x, y, label, shape = "circle", filled = false }: GraphNode,
  radius: number,
): string[] {
  if (shape === "none") return [];
  const style = `fill="${filled ? ink : "white"}" stroke="${ink}" stroke-width="${radius > 6 ? 1.1 : 0.9}"`;
  // As wide as a circle of the same weight looks.
  const half = round(shape === "square" ? 0.9 * radius : 1.2 * radius);
  const [cx, cy] = [round(x), round(y)];
  const outline =
    shape === "circle"
      ? `<circle cx="${cx}" cy="${cy}" r="${round(radius)}" ${style}/>`
      : shape === "square"
        ? `<rect x="${round(x - half)}" y="${round(y - half)}" width="${2 * half}" height="${2 * half}" rx="1.5" ${style}/>`
        : `<path d="M${cx} ${round(y - half)}L${round(x + half)} ${cy}L${cx} ${round(y + half)}L${round(x - half)} ${cy}Z" ${style}/>`;
  if (label === undefined) return [outline];
  const size = Math.min(11, (2.1 * radius) / Math.max(1.6, textWidth(label, 1)));
  return [outline, textElement({ x, y, text: label, anchor: "middle", size }, filled ? "white" : ink)];
}

/** A line with its heads: of one path each, so that lines that are not quite opaque show no seams. */
function edgeElement(
  { colour, width = 1.2, opacity = 1, heads = "to", falling = false, bow = 0 }: GraphEdge,
  from: GraphNode,
  to: GraphNode,
  radius: number,
  headLength: number,
): string {
  const along = { x: to.x - from.x, y: to.y - from.y };
  const control = {
    x: from.x + along.x / 2 + 2 * bow * along.y,
    y: from.y + along.y / 2 - 2 * bow * along.x,
  };
  // Unit directions in which the edge leaves and arrives.
  const down = { x: 0, y: Math.sign(along.y) };
  const leaving = falling ? down : direction(from, control);
  const arriving = falling ? down : direction(control, to);
  const room = (node: GraphNode) =>
    (node.shape === "none" ? 0 : node.shape === "diamond" ? 1.2 * radius : radius) + 1;
  const start = { x: from.x + leaving.x * room(from), y: from.y + leaving.y * room(from) };
  const end = { x: to.x - arriving.x * room(to), y: to.y - arriving.y * room(to) };
  const parts: string[] = [];
  const head = (tip: Place, { x, y }: Place, sign: number): Place => {
    const [dx, dy] = [sign * x * headLength, sign * y * headLength];
    const base = { x: tip.x - dx, y: tip.y - dy };
    const [sideX, sideY] = [-dy * 0.36, dx * 0.36];
    parts.push(
      `<path d="M${point(tip)}L${point({ x: base.x + sideX, y: base.y + sideY })}L${point({ x: base.x - sideX, y: base.y - sideY })}Z" fill="${colour}"/>`,
    );
    // The line ends a little inside its head.
    return { x: tip.x - 0.8 * dx, y: tip.y - 0.8 * dy };
  };
  const lineEnd = heads === "none" ? end : head(end, arriving, 1);
  const lineStart = heads === "both" ? head(start, leaving, -1) : start;
  const bend = 0.5 * (lineEnd.y - lineStart.y);
  const curve =
    falling && Math.abs(along.x) > 0.5
      ? `C${point({ x: lineStart.x, y: lineStart.y + bend })} ${point({ x: lineEnd.x, y: lineEnd.y - bend })} ${point(lineEnd)}`
      : bow !== 0
        ? `Q${point(control)} ${point(lineEnd)}`
        : `L${point(lineEnd)}`;
  parts.unshift(
    `<path d="M${point(lineStart)}${curve}" fill="none" stroke="${colour}" stroke-width="${width}"/>`,
  );
  return `<g${opacity < 1 ? ` opacity="${opacity}"` : ""}>${parts.join("")}</g>`;
}

interface Place {
  readonly x: number;
  readonly y: number;
}

/** The unit vector from one place to another. */
function direction(from: Place, to: Place): Place {
  const length = Math.hypot(to.x - from.x, to.y - from.y) || 1;
  return { x: (to.x - from.x) / length, y: (to.y - from.y) / length };
}

const point = ({ x, y }: Place): string => `${round(x)} ${round(y)}`;

function textElement(
  { x, y, text, anchor = "start", size = 9.5, bold = false }: GraphText,
  colour = ink,
): string {
  const weight = bold ? ' font-weight="bold"' : "";
  return `<text xml:space="preserve" x="${round(x)}" y="${round(y + 0.36 * size)}" font-size="${round(size)}" text-anchor="${anchor}"${weight} fill="${colour}">${escapeXml(text)}</text>`;
}
