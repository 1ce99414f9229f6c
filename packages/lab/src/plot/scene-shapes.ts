import type { Scene, SceneShape } from "corral/envs";
import { textWidth } from "./layout.ts";
import { escapeXml } from "./svg.ts";

/** What a scene needs to be drawn in: where it lies on the page, in pixels, and how large its labels are. */
export interface Frame {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** Height of the letters of labels, the same in all shapes so that they can be compared. */
  readonly labelSize: number;
}

/** One element of a picture, with all its attributes, also those that are as they would be without being told. */
export interface Drawing {
  readonly tag: "circle" | "rect" | "line" | "path" | "text";
  readonly attributes: Readonly<Record<string, number | string>>;
  /** Of a text; where it is empty there is nothing to see. */
  readonly content?: string;
}

/** Labels smaller than this are left out, in pixels, and texts smaller than that. */
const SMALLEST_LABEL = 5.5;
const SMALLEST_TEXT = 4;
const LARGEST_LABEL = 16;
/** Width of strokes that do not tell theirs, in pixels. */
const FINE = 1;
const OUTLINE = "#64748b";
const TEXT = "#334155";

/** What shapes must have in common for one to become the other. */
export const signature = (shape: SceneShape): string =>
  shape.kind === "line" && shape.arrow ? "arrow" : shape.kind;

/** The size at which every label of these scenes fits its shape, but for those that fit at no readable size. */
export function labelSizeOf(scenes: readonly Scene[], width: number, height: number): number {
  let size = LARGEST_LABEL;
  for (const scene of scenes) {
    const scale = scaleOf(scene, width, height);
    for (const shape of scene.shapes) {
      const fitting = largestLabel(shape, scale);
      if (fitting >= SMALLEST_LABEL) size = Math.min(size, fitting);
    }
  }
  return size;
}

/** Draws the shapes of a scene in the middle of a frame; equally many elements for each shape of the same signature. */
export function drawScene(scene: Scene, frame: Frame): Drawing[][] {
  const scale = scaleOf(scene, frame.width, frame.height);
  const { left = 0, top = 0, width, height } = scene;
  const x = (value: number): number => frame.x + (frame.width - width * scale) / 2 + (value - left) * scale;
  const y = (value: number): number => frame.y + (frame.height - height * scale) / 2 + (value - top) * scale;
  return scene.shapes.map((shape) => drawShape(shape, scale, x, y, frame.labelSize));
}

/** Pixels of a unit of the scene. */
function scaleOf(scene: Scene, width: number, height: number): number {
  return Math.min(width / scene.width, height / scene.height);
}

function drawShape(
  shape: SceneShape,
  scale: number,
  x: (value: number) => number,
  y: (value: number) => number,
  labelSize: number,
): Drawing[] {
  const { opacity = 1 } = shape;
  switch (shape.kind) {
    case "circle": {
      const [cx, cy, r] = [x(shape.x), y(shape.y), shape.radius * scale];
      const circle: Drawing = { tag: "circle", attributes: { cx, cy, r, ...paint(shape, scale) } };
      return [circle, labelOf(shape, cx, cy, scale, labelSize)];
    }
    case "rectangle": {
      const place = {
        x: x(shape.x),
        y: y(shape.y),
        width: shape.width * scale,
        height: shape.height * scale,
      };
      const rectangle: Drawing = { tag: "rect", attributes: { ...place, ...paint(shape, scale) } };
      const [middleX, middleY] = [place.x + place.width / 2, place.y + place.height / 2];
      return [rectangle, labelOf(shape, middleX, middleY, scale, labelSize)];
    }
    case "line": {
      const stroke = shape.stroke ?? OUTLINE;
      const width = strokeOf(shape, scale);
      const [x1, y1, x2, y2] = [x(shape.x1), y(shape.y1), x(shape.x2), y(shape.y2)];
      const line = (toX: number, toY: number): Drawing => ({
        tag: "line",
        attributes: { x1, y1, x2: toX, y2: toY, stroke, "stroke-width": width, opacity },
      });
      if (!shape.arrow) return [line(x2, y2)];
      const length = Math.hypot(x2 - x1, y2 - y1);
      const head = Math.min(length, 4 + 2.5 * width);
      const [along, across] = length === 0 ? [0, 0] : [(x2 - x1) / length, (y2 - y1) / length];
      // The line ends inside its head, else its blunt end would show beside the point.
      const neck = 0.8 * head;
      return [
        line(x2 - along * neck, y2 - across * neck),
        { tag: "path", attributes: { d: arrowhead(x2, y2, along, across, head), fill: stroke, opacity } },
      ];
    }
    case "text":
      return [
        {
          tag: "text",
          attributes: {
            x: x(shape.x),
            y: y(shape.y) + 0.36 * shape.size * scale,
            "font-size": shape.size * scale,
            "text-anchor": shape.anchor ?? "middle",
            fill: shape.fill ?? TEXT,
            opacity,
          },
          content: shape.size * scale < SMALLEST_TEXT ? "" : shape.text,
        },
      ];
  }
}

function arrowhead(x: number, y: number, along: number, across: number, length: number): string {
  const side = 0.42 * length;
  const [backX, backY] = [x - along * length, y - across * length];
  const points = [
    [x, y],
    [backX - across * side, backY + along * side],
    [backX + across * side, backY - along * side],
  ];
  return `M${points.map((point) => point.map(toTenths).join(" ")).join("L")}Z`;
}

type Labelled = Extract<SceneShape, { readonly kind: "circle" | "rectangle" }>;

function paint(shape: Labelled, scale: number): Drawing["attributes"] {
  const { fill = "none", stroke = fill === "none" ? OUTLINE : "none", opacity = 1 } = shape;
  return { fill, stroke, "stroke-width": stroke === "none" ? FINE : strokeOf(shape, scale), opacity };
}

function strokeOf({ strokeWidth }: { readonly strokeWidth?: number }, scale: number): number {
  return strokeWidth === undefined ? FINE : Math.max(0.4, strokeWidth * scale);
}

function labelOf(shape: Labelled, x: number, y: number, scale: number, size: number): Drawing {
  const fits = largestLabel(shape, scale) >= SMALLEST_LABEL;
  const fill = isDark(shape.fill) ? "#ffffff" : "#111827";
  return {
    tag: "text",
    attributes: { x, y: y + 0.36 * size, "font-size": size, "text-anchor": "middle", fill, opacity: 1 },
    content: fits ? shape.label : "",
  };
}

/** The largest letters with which a shape's label stays inside it, in pixels; no bound where there is no label. */
function largestLabel(shape: SceneShape, scale: number): number {
  if ((shape.kind !== "circle" && shape.kind !== "rectangle") || !shape.label)
    return Number.POSITIVE_INFINITY;
  const [width, height] =
    shape.kind === "circle" ? [1.7 * shape.radius, 1.7 * shape.radius] : [shape.width, shape.height];
  const widthOfOne = textWidth(shape.label, 100) / 100;
  return scale * Math.min((0.92 * width) / widthOfOne, 0.62 * height);
}

/** Whether white reads better than black on a colour. */
function isDark(fill: string | undefined): boolean {
  const digits = /^#([0-9a-f]{6})$/i.exec(fill ?? "")?.[1];
  if (digits === undefined) return false;
  const [red, green, blue] = [0, 2, 4].map((at) => Number.parseInt(digits.slice(at, at + 2), 16));
  return 0.299 * red + 0.587 * green + 0.114 * blue < 135;
}

/** What attributes are when they are not told. */
const defaults: Drawing["attributes"] = {
  stroke: "none",
  "stroke-width": 1,
  opacity: 1,
  "text-anchor": "start",
};

/** An element as text, with what stands inside it. */
export function element(tag: string, attributes: Drawing["attributes"], inside = ""): string {
  const written = Object.entries(attributes)
    .filter(([name, value]) => defaults[name] !== value)
    .map(([name, value]) => ` ${name}="${attributeText(value)}"`);
  return `<${tag}${written.join("")}${inside === "" ? "/>" : `>${inside}</${tag}>`}`;
}

/** Numbers to tenths of a pixel, texts so that they cannot end the attribute. */
export function attributeText(value: number | string): string {
  return typeof value === "number" ? String(toTenths(value)) : escapeXml(value).replaceAll('"', "&quot;");
}

function toTenths(value: number): number {
  const rounded = Math.round(value * 10) / 10;
  return rounded === 0 ? 0 : rounded;
}
