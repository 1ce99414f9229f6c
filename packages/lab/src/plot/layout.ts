import type { TopLevelSpec } from "vega-lite";
import type { Axis, ReferenceLine } from "./figure-spec.ts";
import { axisTitle, chartConfig, logarithmicTicks, wrapText } from "./style.ts";

/** One mark with its data, in Vega-Lite's own form. */
export type UnitSpec = Record<string, unknown>;

/** One panel: layers that share their scales. */
export interface LayerSpec {
  readonly title?: string;
  readonly width: number;
  readonly height: number;
  readonly layer: readonly UnitSpec[];
}

/** Room for the vertical axis beside a panel, for the horizontal axis below it and for a title above it, in pixels. */
const room = { left: 58, below: 58, above: 26, padding: 12 } as const;

/** Width of text of the given font size, in pixels: an upper estimate for DejaVu Sans. */
export function textWidth(text: string, fontSize: number): number {
  return Math.ceil(text.length * fontSize * 0.62);
}

/**
 * Places panels in rows, with title above and caption below, and renders them as an SVG document.
 *
 * @param right room for labels or a legend beside each panel, in pixels
 */
export async function layOut(
  figure: { readonly title?: string; readonly caption?: string; readonly columns?: number },
  [panelWidth, panelHeight]: readonly [number, number],
  right: number,
  panels: readonly LayerSpec[],
): Promise<string> {
  const columns = Math.min(figure.columns ?? 3, panels.length);
  const gap = right + room.left;
  const width = room.left + columns * panelWidth + (columns - 1) * gap + right;
  const placed = panels.map(withTitle);
  // Title and caption are layers of the corner panels: Vega-Lite has no text blocks of a given width.
  if (figure.title !== undefined) {
    const above = panels.some((panel) => panel.title !== undefined) ? 44 : room.above;
    placed[0].layer.push(textBlock([figure.title], -above, titleText));
  }
  if (figure.caption !== undefined) {
    const corner = placed[panels.length - 1 - ((panels.length - 1) % columns)];
    const lines = wrapText(figure.caption, Math.floor(width / (captionText.fontSize * 0.56)));
    corner.layer.push(textBlock(lines, panelHeight + room.below, captionText));
  }
  const complete = {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    background: "white",
    padding: room.padding,
    config: chartConfig,
    concat: placed,
    columns,
    bounds: "flush",
    spacing: { row: room.below + room.above, column: gap },
    resolve: {
      scale: { x: "independent", y: "independent", color: "independent", strokeDash: "independent" },
    },
  };
  // Loaded only when something is drawn: both take a third of a second.
  const [{ parse, View }, { compile }] = await Promise.all([import("vega"), import("vega-lite")]);
  const view = new View(parse(compile(complete as unknown as TopLevelSpec).spec), { renderer: "none" });
  try {
    return setWidth(renumberIds(await view.toSVG()), width + 2 * room.padding);
  } finally {
    view.finalize();
  }
}

/** Adds a panel's title at the same height in all panels, whatever else stands above one of them. */
function withTitle({ title, layer, ...panel }: LayerSpec): { layer: UnitSpec[] } {
  if (title === undefined) return { ...panel, layer: [...layer] };
  const label = {
    data: { values: [{}] },
    mark: {
      type: "text",
      text: title,
      align: "left",
      baseline: "bottom",
      fontSize: 12.5,
      fontWeight: "bold",
      color: "#111",
    },
    encoding: { x: { value: 0 }, y: { value: -16 } },
  };
  return { ...panel, layer: [...layer, label] };
}

const titleText = { fontSize: 13.5, fontWeight: "bold", color: "#111", baseline: "bottom" } as const;
const captionText = { fontSize: 10.5, lineHeight: 15, color: "#444", baseline: "top" } as const;

/** Lines of text that start at the left edge of the figure, `y` pixels below the top of the panel. */
function textBlock(lines: readonly string[], y: number, style: object): UnitSpec {
  return {
    data: { values: [{}] },
    mark: { type: "text", text: lines, align: "left", ...style },
    encoding: { x: { value: 6 - room.left }, y: { value: y } },
  };
}

/** Replaces the document's width: without a browser Vega can only guess how wide text is, and guesses too wide. */
function setWidth(svg: string, width: number): string {
  return svg
    .replace(/(<svg\b[^>]*?\swidth=")[^"]*"/, `$1${width}"`)
    .replace(/(<svg\b[^>]*?\sviewBox="\S+ \S+ )\S+/, `$1${width}`);
}

/** Scale and axis of the vertical direction. */
export function yAxis(axis: Axis, domain: readonly [number, number]): object {
  const scale = { domain, nice: false };
  const style = { title: axisTitle(axis), domain: false, ticks: false };
  return axis.logarithmic
    ? {
        scale: { ...scale, type: "log" },
        axis: { ...style, format: axis.format ?? "~s", values: logarithmicTicks(domain) },
      }
    : { scale: { ...scale, zero: false }, axis: { ...style, format: axis.format ?? "~r", tickCount: 5 } };
}

/** How far below the upper end of a vertical axis a value lies: 0 at its upper end, 1 at its lower. */
export function depthOn({ logarithmic }: Axis, [low, high]: readonly [number, number]) {
  return (value: number): number =>
    logarithmic ? Math.log(high / value) / Math.log(high / low) : (high - value) / (high - low);
}

/**
 * Dashed horizontal rules, and their labels, each just above its rule; what is drawn after the rules and before the labels
 * lies between the two. A rule outside the domain is not drawn.
 *
 * @param side at which end of the rule the label stands
 */
export function referenceLayers(
  references: readonly ReferenceLine[],
  axis: Axis,
  domain: readonly [number, number],
  width: number,
  height: number,
  side: "start" | "end",
): { readonly rules: UnitSpec[]; readonly labels: UnitSpec[] } {
  const [low, high] = domain;
  const depth = depthOn(axis, domain);
  const visible = references
    .filter(({ value }) => value >= low && value <= high)
    .sort((a, b) => b.value - a.value)
    .map((reference) => ({ ...reference, at: depth(reference.value) * height }));
  const rules = visible.map(({ at }) => ({
    data: { values: [{}] },
    mark: { type: "rule", color: "#666", strokeWidth: 1, strokeDash: [4, 3] },
    encoding: { x: { value: 0 }, x2: { value: width }, y: { value: at } },
  }));
  const labels = visible.flatMap(({ label, at }, i) => {
    // Below its rule when the rule above is too near for text between the two.
    const crowded = i > 0 && at - visible[i - 1].at < 13;
    // White behind the letters keeps them readable across lines and bars.
    return [{ stroke: "white", strokeWidth: 3, strokeJoin: "round" }, {}].map((halo) => ({
      data: { values: [{}] },
      mark: {
        type: "text",
        text: label,
        color: "#555",
        fontSize: 10,
        align: side === "start" ? "left" : "right",
        baseline: crowded ? "top" : "bottom",
        dy: crowded ? 3 : -2,
        ...halo,
      },
      encoding: { x: { value: side === "start" ? 4 : width - 4 }, y: { value: at } },
    }));
  });
  return { rules, labels };
}

/** Vega counts clip paths over the whole life of a process; numbering them afresh makes equal figures equal text. */
function renumberIds(svg: string): string {
  const numbers = new Map<string, string>();
  return svg.replace(/\b(clip|gradient_)(\d+)\b/g, (found, kind: string) => {
    const known = numbers.get(found);
    if (known !== undefined) return known;
    const name = `${kind}${numbers.size}`;
    numbers.set(found, name);
    return name;
  });
}
