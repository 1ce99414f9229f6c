import type { SceneMoment } from "corral/envs";
import { type Drawing, drawScene, element, labelSizeOf } from "./scene-shapes.ts";
import { wrapText } from "./style.ts";
import { escapeXml, round, svgDocument } from "./svg.ts";

/** Moments of an episode and what is said about it. */
export interface SceneFigure {
  readonly title: string;
  readonly caption?: string;
  /** At least one. */
  readonly moments: readonly SceneMoment[];
}

const padding = 16;
/** Of the panels of a page together, in pixels. Pages of many moments are higher. */
const page = { width: 920, height: 910 } as const;
const largest = { width: 453, height: 260 } as const;
const smallestWidth = 84;
const gap = { column: 14, row: 16 } as const;
const mostColumns = 12;
const headerHeight = 17;
const captionHeight = 13;
const captionSize = 9;
const narrowestPage = 460;
const fontSize = 10.5;

/** A reward as text: three significant digits, all digits before the point. */
export function rewardText(reward: number): string {
  const rounded = Math.abs(reward) >= 1000 ? Math.round(reward) : Number(reward.toPrecision(3));
  return String(rounded === 0 ? 0 : rounded).replace("-", "−");
}

/**
 * Draws moments side by side in rows, each with its step and the reward so far, as one SVG document. The same figure gives
 * the same bytes.
 */
export function renderScenes({ title, caption, moments }: SceneFigure): string {
  const aspect = Math.max(...moments.map(({ scene }) => scene.height / scene.width));
  const { columns, width: panelWidth } = arrange(moments.length, aspect, headerHeight + captionHeight);
  const panelHeight = panelWidth * aspect;
  const captions = moments.map(({ scene }) => linesOf(scene.caption, panelWidth, captionSize));
  const around = headerHeight + captionHeight * Math.max(...captions.map((lines) => lines.length));
  const scenes = moments.map(({ scene }) => scene);
  const labelSize = labelSizeOf(scenes, panelWidth, panelHeight);
  const rows = Math.ceil(moments.length / columns);
  const contentWidth = Math.max(narrowestPage, columns * panelWidth + (columns - 1) * gap.column);
  const body: string[] = [];
  let y = padding;
  for (const line of linesOf(title, contentWidth, 14)) {
    y += 16;
    body.push(
      `<text x="${padding}" y="${y - 3}" font-size="13" font-weight="bold" fill="#111">${escapeXml(line)}</text>`,
    );
  }
  const top = y + 10;
  moments.forEach(({ step, reward, scene }, index) => {
    const column = index % columns;
    const row = Math.floor(index / columns);
    const x = padding + column * (panelWidth + gap.column);
    const panelY = top + row * (panelHeight + around + gap.row) + headerHeight;
    const frame = { x, y: panelY, width: panelWidth, height: panelHeight, labelSize };
    const right = round(x + panelWidth);
    body.push(
      `<text x="${round(x)}" y="${round(panelY - 5)}" font-size="${fontSize}" fill="#111"><tspan font-weight="bold">step ${step}</tspan></text>`,
      `<text x="${right}" y="${round(panelY - 5)}" font-size="${fontSize}" fill="#555" text-anchor="end">${rewardText(reward)}</text>`,
      panelBorder(frame),
      ...drawScene(scene, frame).flat().map(still),
    );
    captions[index].forEach((line, k) => {
      const lineY = round(panelY + panelHeight + 12 + k * captionHeight);
      body.push(
        `<text x="${round(x)}" y="${lineY}" font-size="${captionSize}" fill="#555">${escapeXml(line)}</text>`,
      );
    });
  });
  y = top + rows * (panelHeight + around) + (rows - 1) * gap.row;
  if (caption !== undefined) y += 8;
  for (const line of linesOf(caption, contentWidth, fontSize)) {
    y += 15;
    body.push(
      `<text x="${padding}" y="${round(y)}" font-size="${fontSize}" fill="#444">${escapeXml(line)}</text>`,
    );
  }
  const drawn = body.filter((line) => line !== "");
  return svgDocument(Math.ceil(contentWidth + 2 * padding), Math.ceil(y + padding), drawn);
}

/** The frame around a picture. */
export function panelBorder(frame: {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}): string {
  return element("rect", {
    x: frame.x - 0.5,
    y: frame.y - 0.5,
    width: frame.width + 1,
    height: frame.height + 1,
    fill: "#ffffff",
    stroke: "#d5dae1",
  });
}

/** An element that does not move; nothing for an empty text. */
export function still({ tag, attributes, content }: Drawing): string {
  if (tag !== "text") return element(tag, attributes);
  return content ? element(tag, attributes, escapeXml(content)) : "";
}

/** Text in lines that fit a width, in pixels; no lines for no text. */
export function linesOf(text: string | undefined, width: number, size: number): string[] {
  return text === undefined || text === "" ? [] : wrapText(text, Math.floor(width / (0.58 * size)));
}

/**
 * How many panels stand in a row: as many as make the panels largest on one page, empty places counted against it.
 *
 * @param aspect height of a panel by its width
 * @param around height of what stands above and below a panel
 */
function arrange(
  count: number,
  aspect: number,
  around: number,
): { readonly columns: number; readonly width: number } {
  let best = { columns: 1, width: 0, worth: 0 };
  for (let columns = 1; columns <= Math.min(count, mostColumns); columns++) {
    const available = (page.width - (columns - 1) * gap.column) / columns;
    const width = Math.min(available, largest.width, largest.height / aspect);
    const rows = Math.ceil(count / columns);
    const height = rows * (width * aspect + around) + (rows - 1) * gap.row;
    if (width < smallestWidth && columns > 1) break;
    // A page that is too high counts only where there is no other, and then the lower the better.
    const worth = height > page.height ? 1 / height : (width * width * count) / (rows * columns);
    if (worth >= best.worth) best = { columns, width, worth };
  }
  return best;
}
