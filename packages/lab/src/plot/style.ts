import type { Axis } from "./figure-spec.ts";

export const fontFamily = "DejaVu Sans";

/**
 * Colours that stay apart for the common forms of colour blindness: those of Okabe and Ito (2008, "Color universal
 * design") without their yellow, which is too faint for lines on white, then some of Tol's muted scheme (2021, "Colour
 * schemes").
 */
export const palette = [
  "#0072b2",
  "#d55e00",
  "#009e73",
  "#cc79a7",
  "#e69f00",
  "#56b4e9",
  "#000000",
  "#882255",
  "#999933",
  "#332288",
  "#44aa99",
  "#7f7f7f",
] as const;

/** The same hues, dark enough for text on white (contrast of 4.5 to 1 and more). */
export const textPalette = [
  "#0069a6",
  "#b34e00",
  "#00795a",
  "#a0467c",
  "#8f6200",
  "#1c74a8",
  "#000000",
  "#882255",
  "#6b6b1f",
  "#332288",
  "#2b7a6d",
  "#6b6b6b",
] as const;

/** Dash patterns by series, so that lines also differ in print without colour. */
export const dashes = [
  [1, 0],
  [7, 2],
  [2, 2],
  [9, 2, 2, 2],
  [4, 2],
  [1, 1],
  [12, 3],
  [6, 2, 1, 2],
  [3, 1],
  [10, 2, 2, 2, 2, 2],
  [5, 4],
  [2, 4],
] as const;

/** Dash pattern of curves that a figure sets apart from the others, which are then solid. */
export const setApart = [5, 3] as const;

/** The text of an axis title: label and unit. */
export function axisTitle(axis: Axis): string {
  return axis.unit === undefined ? axis.label : `${axis.label} (${axis.unit})`;
}

/** Vega-Lite settings shared by every figure. */
export const chartConfig = {
  font: fontFamily,
  view: { stroke: null },
  axis: {
    domainColor: "#555",
    tickColor: "#555",
    tickSize: 4,
    labelFontSize: 11,
    labelColor: "#222",
    labelPadding: 4,
    titleFontSize: 12,
    titleFontWeight: "normal",
    titleColor: "#111",
    titlePadding: 8,
    gridColor: "#e6e6e6",
    gridWidth: 0.8,
  },
} as const;

/** Lowest and highest round numbers around the values, and a tick distance of 1, 2 or 5 times a power of ten. */
export function niceDomain(values: Iterable<number>): [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return [0, 1];
  if (low === high) {
    const margin = Math.abs(low) / 10 || 1;
    low -= margin;
    high += margin;
  }
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= rough)! * power;
  // The small slack keeps a value that is a tick up to rounding from opening another interval.
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  return [exact(first * step), exact(last * step)];
}

/** The powers of ten around values of one sign, in ascending order. */
export function powersAround(values: Iterable<number>): [number, number] {
  const list = [...values];
  if (list.length === 0) return [1, 10];
  const logs = list.map((value) => Math.log10(Math.abs(value)));
  const first = Math.floor(Math.min(...logs) + 1e-9);
  const last = Math.ceil(Math.max(...logs) - 1e-9);
  const [small, large] = [10 ** first, 10 ** Math.max(last, first + 1)];
  return list[0] < 0 ? [-large, -small] : [small, large];
}

/** Powers of ten within a domain of one sign, with 2 and 5 times them where there are fewer than three. */
export function logarithmicTicks([low, high]: readonly [number, number]): number[] {
  if (high < 0) return logarithmicTicks([-high, -low]).map((tick) => -tick);
  const ticks = (factors: readonly number[]): number[] => {
    const found: number[] = [];
    for (let power = 10 ** Math.floor(Math.log10(low)); power <= high; power *= 10) {
      found.push(...factors.map((factor) => exact(factor * power)));
    }
    return found.filter((tick) => tick >= low && tick <= high);
  };
  const powers = ticks([1]);
  return powers.length > 2 ? powers : ticks([1, 2, 5]);
}

/** Removes the rounding noise of a product with a power of ten. */
function exact(value: number): number {
  return Number(value.toPrecision(12));
}

/** Breaks text into lines of at most `width` characters at spaces; a longer word stays whole. */
export function wrapText(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  if (line !== "") lines.push(line);
  return lines;
}
