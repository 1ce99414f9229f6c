import { InputError } from "corral/errors";
import type { HeatMapFigure } from "./figure-spec.ts";
import { textWidth } from "./layout.ts";
import { wrapText } from "./style.ts";
import { escapeXml, round, svgDocument } from "./svg.ts";

const padding = 12;
const cell = 15;
const labelSize = 8.5;
const captionSize = 10.5;
const titleHeight = 20;
const gap = 20;
const barWidth = 12;

/**
 * Draws matrices of numbers in [0, 1] as cells from white (0) to dark (the largest entry of all), with one colour bar.
 * The same figure gives the same bytes.
 *
 * @throws InputError when a matrix is not square with one row for each label, or an entry is no number of [0, 1]
 */
export function renderHeatMaps({
  title,
  caption,
  labels,
  rowTitle,
  columnTitle,
  maps,
  columns = 3,
}: HeatMapFigure): string {
  const size = labels.length;
  for (const map of maps) {
    if (map.values.length !== size || map.values.some((row) => row.length !== size)) {
      throw new InputError(`heat map "${map.title}": expected ${size} rows of ${size} numbers`);
    }
    for (const value of map.values.flat()) {
      if (!(value >= 0 && value <= 1)) {
        throw new InputError(`heat map "${map.title}": entry ${value}, expected numbers of [0, 1]`);
      }
    }
  }
  const highest = Math.max(1e-9, ...maps.flatMap(({ values }) => values.flat()));
  const side = size * cell;
  const labelRoom = Math.max(...labels.map((label) => textWidth(label, labelSize))) + 8;
  const perRow = Math.min(columns, maps.length);
  const mapRows = Math.ceil(maps.length / perRow);
  const left = padding + 16 + labelRoom;
  const below = labelRoom + 22;
  const top = padding + (title === undefined ? 0 : 24);
  const width = left + perRow * side + (perRow - 1) * gap + gap + barWidth + 34 + padding;
  const body: string[] = [];
  const text = (content: string, x: number, y: number, attributes: string): void => {
    body.push(`<text x="${round(x)}" y="${round(y)}" ${attributes}>${escapeXml(content)}</text>`);
  };

  if (title !== undefined) {
    text(title, padding, padding + 14, 'font-size="13.5" font-weight="bold" fill="#111"');
  }
  maps.forEach((map, index) => {
    const column = index % perRow;
    const row = Math.floor(index / perRow);
    const x = left + column * (side + gap);
    const y = top + titleHeight + row * (titleHeight + side + below);
    text(map.title, x, y - 6, 'font-size="11.5" font-weight="bold" fill="#111"');
    map.values.forEach((values, r) => {
      values.forEach((value, c) => {
        body.push(
          `<rect x="${x + c * cell}" y="${y + r * cell}" width="${cell}" height="${cell}" fill="${shade(value / highest)}"/>`,
        );
      });
    });
    body.push(
      `<rect x="${x}" y="${y}" width="${side}" height="${side}" fill="none" stroke="#555" stroke-width="0.8"/>`,
    );
    const label = `font-size="${labelSize}" fill="#222"`;
    labels.forEach((name, k) => {
      const middle = k * cell + cell / 2 + 3;
      if (column === 0) text(name, x - 5, y + middle, `${label} text-anchor="end"`);
      const [labelX, labelY] = [x + middle, y + side + 5];
      text(
        name,
        labelX,
        labelY,
        `${label} text-anchor="end" transform="rotate(-90 ${round(labelX)} ${labelY})"`,
      );
    });
    if (column === 0) {
      const [titleX, titleY] = [padding + 8, y + side / 2];
      text(
        rowTitle,
        titleX,
        titleY,
        `font-size="11" fill="#111" text-anchor="middle" transform="rotate(-90 ${titleX} ${titleY})"`,
      );
    }
    text(columnTitle, x + side / 2, y + side + below - 10, 'font-size="11" fill="#111" text-anchor="middle"');
  });

  const barX = left + perRow * side + (perRow - 1) * gap + gap;
  const barY = top + titleHeight;
  const shades = 32;
  for (let k = 0; k < shades; k++) {
    const height = side / shades;
    body.push(
      `<rect x="${barX}" y="${round(barY + side - (k + 1) * height)}" width="${barWidth}" height="${round(height + 0.2)}" fill="${shade((k + 0.5) / shades)}"/>`,
    );
  }
  body.push(
    `<rect x="${barX}" y="${barY}" width="${barWidth}" height="${side}" fill="none" stroke="#555" stroke-width="0.8"/>`,
  );
  for (const share of [0, 0.5, 1]) {
    const value = String(Number((share * highest).toPrecision(2)));
    text(value, barX + barWidth + 4, barY + side * (1 - share) + 3, 'font-size="9.5" fill="#222"');
  }

  let y = top + mapRows * (titleHeight + side + below);
  if (caption !== undefined) {
    for (const line of wrapText(caption, Math.floor((width - 2 * padding) / (captionSize * 0.56)))) {
      y += 15;
      text(line, padding, y, `font-size="${captionSize}" fill="#444"`);
    }
  }
  const height = Math.ceil(y + padding);
  return svgDocument(width, height, body);
}

/** Stops of a scale whose lightness falls evenly (ColorBrewer's "Blues", lengthened to a darker end). */
const stops = [
  [255, 255, 255],
  [198, 219, 239],
  [107, 174, 214],
  [33, 113, 181],
  [8, 36, 90],
] as const;

/** The colour of a share in [0, 1]. */
function shade(share: number): string {
  const at = Math.min(1, Math.max(0, share)) * (stops.length - 1);
  const k = Math.min(stops.length - 2, Math.floor(at));
  const mix = stops[k].map((from, channel) => Math.round(from + (stops[k + 1][channel] - from) * (at - k)));
  return `#${mix.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}
