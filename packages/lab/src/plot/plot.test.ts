import { createHash } from "node:crypto";
import { InputError } from "corral/errors";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type BarFigure,
  type LineFigure,
  renderBars,
  renderHeatMaps,
  renderLines,
  renderTable,
  sparkline,
  svgToPng,
} from "./index.ts";
import { spread } from "./lines.ts";
import { logarithmicTicks, niceDomain, powersAround, wrapText } from "./style.ts";

const figure: LineFigure = {
  title: "Two methods",
  caption: "Mean over 3 seeds; the band is one standard error to each side.",
  panels: [
    {
      title: "left panel",
      x: { label: "environment steps" },
      y: { label: "return", unit: "points" },
      curves: [
        {
          name: "slow",
          steps: [0, 10_000, 20_000],
          centre: [0, 1, 2],
          low: [0, 0.5, 1.5],
          high: [0, 1.5, 2.5],
        },
        { name: "fast", steps: [0, 10_000, 20_000], centre: [0, 3, 4] },
      ],
      references: [
        { label: "script", value: 3.5 },
        { label: "far away", value: 400 },
      ],
    },
    {
      title: "right panel",
      x: { label: "environment steps" },
      y: { label: "price of anarchy", domain: [0, 1] },
      curves: [{ name: "fast", steps: [0, 5000], centre: [-50, 0.5] }],
    },
  ],
};

test("an SVG figure shows titles, axis titles with units, labels, references and caption", async () => {
  const svg = await renderLines({
    ...figure,
    panels: [{ ...figure.panels[0], references: [{ label: "script", value: 3.5 }] }, figure.panels[1]],
  });
  for (const text of ["Two methods", "left panel", "right panel", "return (points)", "price of anarchy"]) {
    expect(svg).toContain(`>${text}<`);
  }
  for (const text of ["slow", "fast", "script", "environment steps", "10k"])
    expect(svg).toContain(`>${text}<`);
  expect(svg).toContain("one standard error");
  expect(svg).not.toContain(">0k<");
});

test("a reference outside the axis is left out", async () => {
  const [panel] = figure.panels;
  const svg = await renderLines({ panels: [{ ...panel, y: { ...panel.y, domain: [0, 5] } }] });
  expect(svg).toContain(">script<");
  expect(svg).not.toContain("far away");
});

test("steps are told in full below 10,000", async () => {
  const short = { name: "short", steps: [0, 1000], centre: [0, 1] };
  const svg = await renderLines({ panels: [{ x: { label: "x" }, y: { label: "y" }, curves: [short] }] });
  for (const text of ["0", "200", "1,000"]) expect(svg).toContain(`>${text}<`);
});

test("a curve that ends early has its name at its end, or before it where there is no room", async () => {
  const axes = { x: { label: "x", domain: [0, 100] }, y: { label: "y", domain: [0, 10] } } as const;
  const curves = [
    { name: "whole", steps: [0, 100], centre: [0, 5] },
    { name: "early", steps: [0, 50], centre: [0, 5] },
    { name: "nearly", steps: [0, 90], centre: [0, 5] },
  ];
  const svg = await renderLines({ panelSize: [300, 200], panels: [{ ...axes, curves }] });
  const placeOf = (name: string) => {
    const label = new RegExp(
      `<text text-anchor="(\\w+)" transform="translate\\(([\\d.]+),([\\d.]+)\\)"[^>]*>${name}<`,
    );
    const [, anchor, x, y] = label.exec(svg)!;
    return [anchor, Number(x), Math.round(Number(y))];
  };
  // Base lines lie a third of the font below the middle of a letter.
  expect(["whole", "early", "nearly"].map(placeOf)).toEqual([
    ["start", 316, 103],
    ["start", 158, 103],
    ["end", 270, 91],
  ]);
});

test("on logarithmic axes equal ratios lie equally far apart", async () => {
  const cost = { name: "cost", steps: [10, 100, 1000], centre: [2, 200, 20_000] };
  const svg = await renderLines({
    panelSize: [300, 200],
    panels: [
      {
        x: { label: "agents", logarithmic: true },
        y: { label: "milliseconds", logarithmic: true, domain: [1, 100_000] },
        curves: [cost],
        dots: true,
        references: [{ label: "limit", value: 1000 }],
      },
    ],
  });
  const [, line] = /aria-roledescription="line mark"[^>]* d="([^"]*)"/.exec(svg)!;
  const points = [...line.matchAll(/[ML]([\d.]+),([\d.]+)/g)].map((match) => match.slice(1).map(Number));
  // Five powers of ten in 200 pixels; each point is two further up.
  const first = 200 - 40 * Math.log10(2);
  points.forEach(([x, y], k) => {
    expect(x).toBeCloseTo(150 * k, 1);
    expect(y).toBeCloseTo(first - 80 * k, 1);
  });
  expect(points).toHaveLength(3);
  for (const text of ["10", "100", "1k", "limit", "cost"]) expect(svg).toContain(`>${text}<`);
  expect(powersAround([3, 4000])).toEqual([1, 10_000]);
  expect(powersAround([100, 100])).toEqual([100, 1000]);
  expect(powersAround([])).toEqual([1, 10]);
  expect(logarithmicTicks([10, 100_000])).toEqual([10, 100, 1000, 10_000, 100_000]);
  expect(logarithmicTicks([3, 40])).toEqual([5, 10, 20]);
  expect(powersAround([-3, -4000])).toEqual([-10_000, -1]);
  expect(logarithmicTicks([-40, -3])).toEqual([-5, -10, -20]);
});

test("equal figures give equal bytes, however many were drawn before", async () => {
  const first = await renderLines(figure);
  await renderBars(bars);
  const [second, third] = await Promise.all([renderLines(figure), renderLines(figure)]);
  expect(second).toBe(first);
  expect(third).toBe(first);
  const hash = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
  expect(hash(svgToPng(second))).toBe(hash(svgToPng(first)));
});

test("a PNG has the SVG's size times the scale, and its text is drawn", async () => {
  const svg = await renderLines(figure);
  const [, width, height] = /width="(\d+)" height="(\d+)"/.exec(svg)!.map(Number);
  const png = Buffer.from(svgToPng(svg, 3));
  expect(png.subarray(1, 4).toString()).toBe("PNG");
  // IHDR: width and height as big-endian 32-bit numbers from byte 16.
  expect(png.readUInt32BE(16)).toBe(3 * width);
  expect(png.readUInt32BE(20)).toBe(3 * height);
  const withText = svgToPng(
    '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><text y="15">W</text></svg>',
  );
  const without = svgToPng('<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"></svg>');
  expect(Buffer.compare(withText, without)).not.toBe(0);
});

const bars: BarFigure = {
  panels: [
    {
      title: "final scores",
      groupLabel: "agents",
      y: { label: "return", unit: "points" },
      bars: [
        { group: "2", name: "slow", value: 1, low: 0.5, high: 1.5 },
        { group: "2", name: "fast", value: 2 },
        { group: "5", name: "slow", value: 3 },
      ],
    },
  ],
};

test("bars show groups, axis titles and a legend", async () => {
  const svg = await renderBars(bars);
  for (const text of ["final scores", "agents", "return (points)", "2", "5", "slow", "fast"]) {
    expect(svg).toContain(`>${text}<`);
  }
});

test("a table shows its cells, with numbers at the right of their columns", () => {
  const svg = renderTable({
    title: "Errors",
    caption: "A < B",
    head: ["DAG", "error\nfitted"],
    rows: [
      ["full", "0"],
      ["product", "1.25"],
    ],
    right: [1],
  });
  for (const text of ["Errors", "A &lt; B", "DAG", "error", "fitted", "full", "1.25"]) {
    expect(svg).toContain(`>${text}<`);
  }
  const xOf = (text: string) => Number(new RegExp(`x="([\\d.]+)"[^>]*>${text}<`).exec(svg)![1]);
  const anchorOf = (text: string) => new RegExp(`text-anchor="(\\w+)"[^>]*>${text}<`).exec(svg)![1];
  expect(xOf("0")).toBe(xOf("1.25"));
  expect(xOf("fitted")).toBe(xOf("1.25"));
  expect([anchorOf("full"), anchorOf("1.25")]).toEqual(["start", "end"]);
  const [, width] = /width="(\d+)"/.exec(svg)!.map(Number);
  expect(xOf("1.25")).toBeLessThan(width);
  expect(() => renderTable({ head: ["a", "b"], rows: [["1"]] })).toThrow("a row has 1 cells, expected 2");
});

test("malformed curves are refused by name", async () => {
  const axis = { label: "x" };
  const panel = (curve: object) => ({ panels: [{ x: axis, y: axis, curves: [curve as never] }] });
  await expect(renderLines(panel({ name: "a", steps: [1, 2], centre: [1] }))).rejects.toThrow(
    'curve "a" has 2 steps but 1 values of centre',
  );
  await expect(renderLines(panel({ name: "a", steps: [], centre: [] }))).rejects.toThrow(InputError);
  const many = Array.from({ length: 13 }, (_, i) => ({ name: `${i}`, steps: [0], centre: [0] }));
  await expect(renderLines({ panels: [{ x: axis, y: axis, curves: many }] })).rejects.toThrow(
    "at most 12 curves",
  );
});

test("labels are moved apart by no more than is needed", () => {
  expect(spread([10, 50, 100], 14, 200)).toEqual([10, 50, 100]);
  expect(spread([50, 50], 14, 200)).toEqual([43, 57]);
  // Two clusters that grow into each other become one around their mean, (40 + 41 + 60) / 3 = 47.
  expect(spread([40, 41, 60], 14, 200)).toEqual([33, 47, 61]);
  expect(spread([0, 1], 14, 200)).toEqual([0, 14]);
  expect(spread([199, 200], 14, 200)).toEqual([186, 200]);
});

test("labels keep their distance and order and stay on the panel", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0, max: 200, noNaN: true }), { minLength: 1, maxLength: 7 }),
      (wanted) => {
        const places = spread(
          [...wanted].sort((a, b) => a - b),
          14,
          200,
        );
        places.forEach((place, i) => {
          expect(place).toBeGreaterThanOrEqual(-1e-9);
          expect(place).toBeLessThanOrEqual(200 + 1e-9);
          if (i > 0) expect(place - places[i - 1]).toBeGreaterThanOrEqual(14 - 1e-9);
        });
      },
    ),
  );
});

test("axis limits are round numbers around the data", () => {
  expect(niceDomain([0.437, 0.99])).toEqual([0.4, 1]);
  expect(niceDomain([-3, 12])).toEqual([-5, 15]);
  expect(niceDomain([0, 1])).toEqual([0, 1]);
  expect(niceDomain([5, 5])[0]).toBeLessThan(5);
  expect(niceDomain([])).toEqual([0, 1]);
});

test("text is wrapped at spaces", () => {
  expect(wrapText("one two three", 7)).toEqual(["one two", "three"]);
  expect(wrapText("incomprehensible a", 5)).toEqual(["incomprehensible", "a"]);
});

test("a sparkline goes from the lowest to the highest block", () => {
  expect(sparkline([0, 1, 2, 3, 4, 5, 6, 7])).toBe("▁▂▃▄▅▆▇█");
  // Means of pairs 0.5 and 6.5 on the scale 0 to 8.
  expect(sparkline([0, 1, 6, 7], { width: 2, low: 0, high: 8 })).toBe("▁▇");
  expect(sparkline([1, Number.NaN, 1])).toBe("▅ ▅");
  expect(sparkline([])).toBe("");
});

const heatMaps = {
  title: "Attention",
  caption: "Rows are queries.",
  labels: ["agent 0: act 0", "agent 0: act 1"],
  rowTitle: "query",
  columnTitle: "key",
  maps: [
    {
      title: "head 0",
      values: [
        [0.25, 0.75],
        [1, 0],
      ],
    },
    {
      title: "mean <of heads>",
      values: [
        [0.5, 0.5],
        [0.5, 0.5],
      ],
    },
  ],
};

test("heat maps have one cell for each entry, from white for 0 to the darkest for the largest", () => {
  const svg = renderHeatMaps(heatMaps);
  const cells = [...svg.matchAll(/width="15" height="15" fill="(#\w+)"/g)].map(([, fill]) => fill);
  expect(cells).toHaveLength(8);
  expect(cells[3]).toBe("#ffffff");
  expect(cells[2]).toBe("#08245a");
  expect(cells[4]).toBe("#6baed6");
  expect(svg).toContain("mean &lt;of heads&gt;");
  // Labels of rows stand beside the first map only, those of columns under each.
  expect(svg.match(/>agent 0: act 1</g)).toHaveLength(3);
  expect(svgToPng(svg).length).toBeGreaterThan(1000);
});

test("heat maps refuse matrices that do not fit their labels and entries that are no shares", () => {
  const wrong = (values: number[][]) => () =>
    renderHeatMaps({ ...heatMaps, maps: [{ title: "head 0", values }] });
  expect(wrong([[1, 0]])).toThrow('heat map "head 0": expected 2 rows of 2 numbers');
  expect(
    wrong([
      [1, 0],
      [1.5, 0],
    ]),
  ).toThrow('heat map "head 0": entry 1.5, expected numbers of [0, 1]');
});

test("curves that a figure sets apart are dashed and all others solid", async () => {
  const [panel] = figure.panels;
  const curves = panel.curves.map((curve) => ({ ...curve, dashed: curve.name === "slow" }));
  const svg = await renderLines({ ...figure, panels: [{ ...panel, curves, references: [] }] });
  expect(svg.match(/stroke-dasharray="5,3"/g)).toHaveLength(1);
});
