import { InputError } from "corral/errors";
import type { Curve, LineFigure, LinePanel } from "./figure-spec.ts";
import {
  depthOn,
  type LayerSpec,
  layOut,
  referenceLayers,
  textWidth,
  type UnitSpec,
  yAxis,
} from "./layout.ts";
import {
  axisTitle,
  dashes,
  logarithmicTicks,
  niceDomain,
  palette,
  powersAround,
  setApart,
  textPalette,
} from "./style.ts";

/** Distance of two labels' base lines, in pixels. */
const labelHeight = 14;

/** Font size of curves' names. */
const nameSize = 11.5;

/** A curve that ends so many pixels before the axis ends early. */
const shortBy = 12;

/**
 * Draws learning curves as an SVG document: one line per curve with its band, each labelled at its right end in its
 * colour. The same figure gives the same bytes.
 *
 * @throws InputError when a curve's arrays differ in length, a curve is empty or there are more curves than colours
 */
export async function renderLines(figure: LineFigure): Promise<string> {
  const names = [...new Set(figure.panels.flatMap((panel) => panel.curves.map((curve) => curve.name)))];
  if (names.length > palette.length) {
    throw new InputError(`figure: expected at most ${palette.length} curves but received ${names.length}`);
  }
  const size = figure.panelSize ?? [300, 200];
  return layOut(
    figure,
    size,
    // Leader line and text of the longest label.
    24 + Math.max(...names.map((name) => textWidth(name, nameSize))),
    figure.panels.map((panel) => linePanel(panel, names, size)),
  );
}

function linePanel(
  panel: LinePanel,
  names: readonly string[],
  [width, height]: readonly [number, number],
): LayerSpec {
  for (const curve of panel.curves) checkCurve(curve);
  const references = panel.references ?? [];
  const xDomain = panel.x.domain ?? extent(panel.curves.flatMap((curve) => Array.from(curve.steps)));
  const yDomain =
    panel.y.domain ??
    (panel.y.logarithmic ? powersAround : niceDomain)([
      ...panel.curves.flatMap((curve) =>
        [curve.centre, curve.low ?? [], curve.high ?? []].flatMap((a) => Array.from(a)),
      ),
      ...references.map((reference) => reference.value),
    ]);

  const twoKinds = panel.curves.some(({ dashed }) => dashed !== undefined);
  const dashOf = (name: string): readonly number[] => {
    if (!twoKinds) return dashes[names.indexOf(name)];
    return panel.curves.find((curve) => curve.name === name)?.dashed ? setApart : dashes[0];
  };
  const present = names.filter((name) => panel.curves.some((curve) => curve.name === name));
  const colour = {
    field: "name",
    type: "nominal",
    scale: { domain: present, range: present.map((name) => palette[names.indexOf(name)]) },
    legend: null,
  };
  const x = {
    field: "step",
    type: "quantitative",
    scale: { domain: xDomain, nice: false, ...(panel.x.logarithmic ? { type: "log" } : {}) },
    axis: {
      title: axisTitle(panel.x),
      format: panel.x.format ?? (panel.x.logarithmic || xDomain[1] >= 10_000 ? "~s" : ",~r"),
      // Ticks share one prefix, which would make zero "0k".
      labelExpr: "datum.value === 0 ? '0' : datum.label",
      grid: false,
      ...(panel.x.logarithmic ? { values: logarithmicTicks(xDomain) } : { tickCount: 5 }),
      labelFlush: false,
    },
  };
  const y = { field: "centre", type: "quantitative", ...yAxis(panel.y, yDomain) };

  // Backwards, so that the first curve is drawn last and lies on top.
  const rows = panel.curves.toReversed().flatMap((curve) =>
    Array.from(curve.steps, (step, i) => ({
      name: curve.name,
      step,
      centre: curve.centre[i],
      low: curve.low?.[i] ?? curve.centre[i],
      high: curve.high?.[i] ?? curve.centre[i],
    })),
  );
  const { rules, labels } = referenceLayers(references, panel.y, yDomain, width, height, "start");
  const layers: UnitSpec[] = [
    {
      data: { values: rows },
      mark: { type: "area", opacity: 0.16, clip: true },
      encoding: { x, y: { ...y, field: "low" }, y2: { field: "high" }, color: colour },
    },
    ...rules,
    {
      data: { values: rows },
      mark: {
        type: "line",
        strokeWidth: 1.8,
        // Dots at the ends of an axis stay whole.
        clip: !panel.dots,
        strokeCap: "butt",
        strokeJoin: "round",
        ...(panel.dots ? { point: { size: 24, filled: true } } : {}),
      },
      encoding: {
        x,
        y,
        color: colour,
        strokeDash: {
          field: "name",
          type: "nominal",
          scale: { domain: present, range: present.map(dashOf) },
          legend: null,
        },
      },
    },
    ...labels,
    ...endLabels(panel, names, { width, height, x: xDomain, y: yDomain }),
  ];
  return { ...(panel.title === undefined ? {} : { title: panel.title }), width, height, layer: layers };
}

/**
 * The names of the curves beside their last points. Labels that would overlap are moved apart, in the order of the
 * points, and a thin line leads from each point to its label. A curve that ends early has its name at its own end.
 */
function endLabels(panel: LinePanel, names: readonly string[], extents: Extents): UnitSpec[] {
  const { width, height } = extents;
  const depth = depthOn(panel.y, extents.y);
  const reverse = depthOn(panel.x, extents.x);
  const ends = panel.curves
    .map(({ name, steps, centre }) => {
      const last = centre.length - 1;
      const share = Math.min(1, Math.max(0, depth(centre[last])));
      return { name, at: share * height, across: (1 - reverse(steps[last])) * width };
    })
    .sort((a, b) => a.at - b.at || names.indexOf(a.name) - names.indexOf(b.name));
  const late = ends.filter(({ across }) => width - across < shortBy);
  const places = spread(
    late.map((end) => end.at),
    labelHeight,
    height,
  );
  const beside = late.flatMap((end, i) => [
    {
      data: { values: [{}] },
      mark: { type: "rule", color: palette[names.indexOf(end.name)], strokeWidth: 0.8, opacity: 0.7 },
      encoding: {
        x: { value: width + 2 },
        x2: { value: width + 13 },
        y: { value: end.at },
        y2: { value: places[i] },
      },
    },
    nameLabel(end.name, names, width + 16, places[i]),
  ]);
  const within = ends
    .filter((end) => !late.includes(end))
    .flatMap(({ name, across, at }) => {
      const before = across + textWidth(name, nameSize) > width;
      const place = [across + (before ? 0 : 8), at - (before ? 12 : 0)] as const;
      const halo = { stroke: "white", strokeWidth: 3, strokeJoin: "round" };
      return [halo, {}].map((style) =>
        nameLabel(name, names, ...place, { ...style, ...(before ? { align: "right" } : {}) }),
      );
    });
  return [...beside, ...within];
}

/** Size of a panel in pixels, and what its axes span. */
interface Extents {
  readonly width: number;
  readonly height: number;
  readonly x: readonly [number, number];
  readonly y: readonly [number, number];
}

function nameLabel(
  name: string,
  names: readonly string[],
  x: number,
  y: number,
  style: object = {},
): UnitSpec {
  return {
    data: { values: [{}] },
    mark: {
      type: "text",
      text: name,
      color: textPalette[names.indexOf(name)],
      align: "left",
      baseline: "middle",
      fontSize: nameSize,
      ...style,
    },
    encoding: { x: { value: x }, y: { value: y } },
  };
}

/**
 * Positions as close as possible to the wanted ones (in ascending order) with at least `distance` between
 * neighbours, inside [0, limit] when they fit: clusters that overlap are merged and centred on their mean.
 */
export function spread(wanted: readonly number[], distance: number, limit: number): number[] {
  const clusters: { first: number; count: number; centre: number }[] = [];
  const start = (cluster: { count: number; centre: number }) => {
    const reach = (cluster.count - 1) * distance;
    return Math.max(0, Math.min(cluster.centre - reach / 2, limit - reach));
  };
  wanted.forEach((position, index) => {
    let cluster = { first: index, count: 1, centre: position };
    for (;;) {
      const before = clusters.at(-1);
      if (before === undefined || start(before) + before.count * distance <= start(cluster) + 1e-9) break;
      clusters.pop();
      const count = before.count + cluster.count;
      const centre = (before.centre * before.count + cluster.centre * cluster.count) / count;
      cluster = { first: before.first, count, centre };
    }
    clusters.push(cluster);
  });
  return clusters.flatMap((cluster) =>
    Array.from({ length: cluster.count }, (_, i) => start(cluster) + i * distance),
  );
}

function checkCurve(curve: Curve): void {
  const length = curve.steps.length;
  if (length === 0) throw new InputError(`figure: curve "${curve.name}" has no points`);
  for (const key of ["centre", "low", "high"] as const) {
    const values = curve[key];
    if (values !== undefined && values.length !== length) {
      throw new InputError(
        `figure: curve "${curve.name}" has ${length} steps but ${values.length} values of ${key}`,
      );
    }
  }
}

function extent(values: readonly number[]): [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return low < high ? [low, high] : low === high ? [low - 1, high + 1] : [0, 1];
}
