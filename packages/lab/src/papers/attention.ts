import type { AttentionMap, AttentionReport } from "corral/models";
import { attentionCsv } from "corral/models";
import { renderHeatMaps, svgToPng } from "../plot/index.ts";
import { writeResult } from "./write-result.ts";

/** Where the files of an attention report are. */
export interface AttentionFiles {
  readonly svg: string;
  readonly png: string;
  readonly csv: string;
  readonly json: string;
}

/**
 * Writes `<base>.json` and `.csv` (all layers and heads, in full) and `.svg` and `.png` (the heads of one layer and their
 * mean).
 *
 * @param layer the layer that is drawn, counted from 0; the last one by default
 */
export function writeAttention(
  report: AttentionReport,
  base: string,
  text: { readonly title: string; readonly caption?: string },
  layer = report.layers.length - 1,
): AttentionFiles {
  const files = { svg: `${base}.svg`, png: `${base}.png`, csv: `${base}.csv`, json: `${base}.json` };
  const svg = drawAttention(report, text, layer);
  writeResult(files.svg, svg);
  writeResult(files.png, svgToPng(svg));
  writeResult(files.csv, attentionCsv(report));
  writeResult(files.json, `${JSON.stringify({ format: 1, ...report }, null, 2)}\n`);
  return files;
}

/** The heads of a layer, and their mean, as heat maps in one SVG document. */
export function drawAttention(
  { labels, layers, samples }: AttentionReport,
  { title, caption }: { readonly title: string; readonly caption?: string },
  layer = layers.length - 1,
): string {
  const { heads, mean } = layers[layer];
  const how = `Attention weights of layer ${layer + 1} of ${layers.length}, mean over ${samples} moments; every row sums to 1.`;
  return renderHeatMaps({
    title,
    caption: caption === undefined ? how : `${caption} ${how}`,
    labels,
    rowTitle: "attends",
    columnTitle: "is attended to",
    maps: [
      ...heads.map((map, head) => ({ title: `head ${head + 1}`, values: shares(map) })),
      { title: "mean of the heads", values: shares(mean) },
    ],
  });
}

/** Weights within [0, 1]: a mean of numbers that sum to 1 can be a rounding error above it. */
const shares = ({ weights }: AttentionMap): number[][] =>
  weights.map((row) => row.map((weight) => Math.min(1, weight)));

/**
 * What an attention report says in single numbers, of the last layer's mean over heads: `attention/cross-agent`,
 * `attention/entropy`, and `attention/act1-to-act0` and the like for the shares that go to other agents' actions.
 */
export function attentionMeasures({ layers }: AttentionReport): Readonly<Record<string, number>> {
  const { mean } = layers[layers.length - 1];
  return {
    "attention/cross-agent": mean.crossAgent,
    "attention/entropy": mean.entropy,
    ...Object.fromEntries(
      mean.crossAgentByAction.flatMap((row, from) =>
        row.map((share, to) => [`attention/act${from}-to-act${to}`, share] as const),
      ),
    ),
  };
}
