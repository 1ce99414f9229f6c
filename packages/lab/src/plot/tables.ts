import { InputError } from "corral/errors";
import type { TableFigure } from "./figure-spec.ts";
import { textWidth } from "./layout.ts";
import { wrapText } from "./style.ts";
import { escapeXml, round, svgDocument } from "./svg.ts";

const padding = 12;
const cellSize = 11;
const rowHeight = 20;
/** How much wider bold text is. */
const boldness = 1.12;
/** Room between two columns. */
const gutter = 22;
const captionSize = 10.5;

/**
 * Draws a table as an SVG document: a head between rules, numbers at the right of their columns, a wider space above a row
 * whose first cell is not empty and differs from the one above. The same table gives the same bytes.
 *
 * @throws InputError when a row has another number of cells than the head
 */
export function renderTable({ title, caption, head, rows, right = [] }: TableFigure): string {
  for (const row of rows) {
    if (row.length !== head.length) {
      throw new InputError(`table: a row has ${row.length} cells, expected ${head.length}`);
    }
  }
  const headLines = head.map((cell) => cell.split("\n"));
  const widths = head.map((_, column) =>
    Math.max(
      ...headLines[column].map((line) => textWidth(line, cellSize) * boldness),
      ...rows.map((row) => textWidth(row[column], cellSize)),
    ),
  );
  const starts = widths.map((_, column) =>
    widths.slice(0, column).reduce((sum, width) => sum + width + gutter, padding),
  );
  const width = Math.ceil(starts[head.length - 1] + widths[head.length - 1] + padding);
  const body: string[] = [];
  const cell = (text: string, column: number, y: number, style: string) => {
    const atRight = right.includes(column);
    const x = starts[column] + (atRight ? widths[column] : 0);
    body.push(
      `<text x="${round(x)}" y="${round(y)}" text-anchor="${atRight ? "end" : "start"}" ${style}>${escapeXml(text)}</text>`,
    );
  };
  const rule = (y: number, thickness: number) =>
    body.push(
      `<line x1="${padding}" x2="${width - padding}" y1="${round(y)}" y2="${round(y)}" stroke="#222" stroke-width="${thickness}"/>`,
    );

  let y = padding;
  if (title !== undefined) {
    y += 14;
    body.push(
      `<text x="${padding}" y="${y}" font-size="13.5" font-weight="bold" fill="#111">${escapeXml(title)}</text>`,
    );
    y += 14;
  }
  rule(y, 1.2);
  const headHeight = Math.max(...headLines.map((lines) => lines.length));
  headLines.forEach((lines, column) => {
    lines.forEach((line, k) => {
      const at = y + 15 + 14 * (headHeight - lines.length + k);
      cell(line, column, at, `font-size="${cellSize}" font-weight="bold" fill="#111"`);
    });
  });
  y += 8 + 14 * headHeight;
  rule(y, 0.8);
  rows.forEach((row, k) => {
    if (k > 0 && row[0] !== "" && row[0] !== rows[k - 1][0]) y += 7;
    row.forEach((text, column) => {
      cell(text, column, y + 15, `font-size="${cellSize}" fill="#222"`);
    });
    y += rowHeight;
  });
  y += 4;
  rule(y, 1.2);
  if (caption !== undefined) {
    y += 8;
    for (const line of wrapText(caption, Math.floor((width - 2 * padding) / (captionSize * 0.56)))) {
      y += 15;
      body.push(
        `<text x="${padding}" y="${round(y)}" font-size="${captionSize}" fill="#444">${escapeXml(line)}</text>`,
      );
    }
  }
  const height = Math.ceil(y + padding);
  return svgDocument(width, height, body);
}
