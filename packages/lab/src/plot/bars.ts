import { InputError } from "corral/errors";
import type { BarFigure, BarPanel } from "./figure-spec.ts";
import { type LayerSpec, layOut, referenceLayers, textWidth, yAxis } from "./layout.ts";
import { niceDomain, palette } from "./style.ts";

/**
 * Draws grouped bars with error bars as an SVG document. The same figure gives the same bytes.
 *
 * @throws InputError when there are more names than colours
 */
export async function renderBars(figure: BarFigure): Promise<string> {
  const names = [...new Set(figure.panels.flatMap((panel) => panel.bars.map((bar) => bar.name)))];
  if (names.length > palette.length) {
    throw new InputError(
      `figure: expected at most ${palette.length} kinds of bar but received ${names.length}`,
    );
  }
  const size = figure.panelSize ?? [300, 200];
  return layOut(
    figure,
    size,
    // Symbol and text of the legend's longest entry.
    names.length > 1 ? 44 + Math.max(...names.map((name) => textWidth(name, 11))) : 12,
    figure.panels.map((panel, i) => barPanel(panel, names, size, i === figure.panels.length - 1)),
  );
}

function barPanel(
  panel: BarPanel,
  names: readonly string[],
  [width, height]: readonly [number, number],
  withLegend: boolean,
): LayerSpec {
  const references = panel.references ?? [];
  const domain =
    panel.y.domain ??
    niceDomain([
      0,
      ...panel.bars.flatMap((bar) => [bar.value, bar.low ?? bar.value, bar.high ?? bar.value]),
      ...references.map((reference) => reference.value),
    ]);
  const groups = [...new Set(panel.bars.map((bar) => bar.group))];
  const x = {
    field: "group",
    type: "nominal",
    scale: { domain: groups, paddingInner: 0.25, paddingOuter: 0.15 },
    axis: { title: panel.groupLabel, labelAngle: 0, ticks: false, grid: false },
  };
  const offset = { field: "name", type: "nominal", scale: { domain: names, paddingInner: 0.1 } };
  const y = { type: "quantitative", ...yAxis(panel.y, domain) };
  const legend = { title: null, symbolType: "square", symbolOpacity: 1, labelFontSize: 11, orient: "right" };
  const values = panel.bars.map((bar) => ({
    ...bar,
    low: bar.low ?? bar.value,
    high: bar.high ?? bar.value,
  }));
  const { rules, labels } = referenceLayers(references, panel.y, domain, width, height, "end");
  return {
    ...(panel.title === undefined ? {} : { title: panel.title }),
    width,
    height,
    layer: [
      {
        data: { values },
        mark: { type: "bar", clip: true },
        encoding: {
          x,
          xOffset: offset,
          y: { field: "value", ...y },
          color: {
            field: "name",
            type: "nominal",
            scale: { domain: names, range: names.map((_, i) => palette[i]) },
            legend: withLegend && names.length > 1 ? legend : null,
          },
        },
      },
      {
        data: { values },
        mark: { type: "rule", color: "#222", strokeWidth: 1.2, clip: true },
        encoding: { x, xOffset: offset, y: { field: "low", ...y }, y2: { field: "high" } },
      },
      ...rules,
      ...labels,
    ],
  };
}
