import type { Scene } from "corral/envs";
import {
  attributeText,
  type Drawing,
  drawScene,
  element,
  type Frame,
  labelSizeOf,
  signature,
} from "./scene-shapes.ts";
import { linesOf, panelBorder, rewardText, type SceneFigure, still } from "./scenes.ts";
import { escapeXml, svgDocument } from "./svg.ts";

const padding = 16;
const largest = { width: 640, height: 480 } as const;
const narrowest = 400;
const fontSize = 10.5;
/** Seconds: the whole episode should take so long, a step at least and at most so long, and its end stays for so long. */
const pace = { episode: 9, leastStep: 0.12, mostStep: 1, rest: 1.2 } as const;

/** The passing of time: moments follow each other evenly, the last stays for a while, then all starts anew. */
interface Clock {
  /** Moments of play. */
  readonly moments: number;
  /** The same with those for which the last one stays. */
  readonly ticks: number;
  readonly timing: string;
}

/**
 * Draws moments one after the other as one animated SVG document that plays for ever in a browser, without scripts. Where moments
 * have the same shapes in the same order, shapes move evenly from one to the next; colours and texts change at once. What never
 * changes is drawn once. The same figure gives the same bytes.
 *
 * @param prefix put before the identifiers of the document, for pages that hold several
 */
export function animateScenes({ title, caption, moments }: SceneFigure, prefix = ""): string {
  const scenes = moments.map(({ scene }) => scene);
  const aspect = Math.max(...scenes.map(({ width, height }) => height / width));
  const width = Math.min(largest.width, largest.height / aspect);
  const contentWidth = Math.max(narrowest, width);
  const texts = createTexts(prefix);
  const clock = createClock(moments.length);
  const body: string[] = [];
  let y = padding;
  const write = (lines: readonly string[], style: string): void => {
    for (const line of lines) {
      y += 16;
      body.push(`<text x="${padding}" y="${y - 3}" ${style}>${escapeXml(line)}</text>`);
    }
  };
  write(linesOf(title, contentWidth, 14), 'font-size="13" font-weight="bold" fill="#111"');
  y += 6;
  const frame: Frame = {
    x: padding + (contentWidth - width) / 2,
    y: y + 20,
    width,
    height: width * aspect,
    labelSize: labelSizeOf(scenes, width, width * aspect),
  };
  const told = (content: (k: number) => string, attributes: Drawing["attributes"]): string =>
    moving(
      moments.map((_, k) => ({ tag: "text", attributes, content: content(k) })),
      clock,
      texts,
    );
  const header = { y: y + 13, "font-size": 11.5 };
  body.push(
    told((k) => `step ${moments[k].step}`, { x: padding, ...header, fill: "#111", "font-weight": "bold" }),
    told((k) => `reward so far ${rewardText(moments[k].reward)}`, {
      x: padding + contentWidth,
      ...header,
      fill: "#444",
      "text-anchor": "end",
    }),
    panelBorder(frame),
    ...movingScenes(scenes, frame, clock, texts),
  );
  y = frame.y + frame.height;
  body.push(progress(padding, y + 5, contentWidth, clock));
  y += 9;
  const captions = scenes.map((scene) => linesOf(scene.caption, contentWidth, fontSize));
  for (let line = 0; line < Math.max(...captions.map((lines) => lines.length)); line++) {
    y += 15;
    body.push(told((k) => captions[k][line] ?? "", { x: padding, y, "font-size": fontSize, fill: "#444" }));
  }
  y += 3;
  write(linesOf(caption, contentWidth, fontSize), `font-size="${fontSize}" fill="#444"`);
  return svgDocument(Math.ceil(contentWidth + 2 * padding), Math.ceil(y + padding), [
    ...texts.definitions(),
    ...body.filter((line) => line !== ""),
  ]);
}

function createClock(moments: number): Clock {
  const step = Math.min(pace.mostStep, Math.max(pace.leastStep, pace.episode / moments));
  const ticks = moments + Math.ceil(pace.rest / step);
  const timing = `dur="${Math.round(ticks * step * 1000)}ms" repeatCount="indefinite"`;
  return { moments, ticks, timing };
}

/** Texts that replace each other, each written once and shown by reference. */
interface Texts {
  /** The reference of a text; of an empty one, to something that cannot be seen. */
  reference(content: string): string;
  definitions(): string[];
}

function createTexts(prefix: string): Texts {
  const numbers = new Map<string, number>();
  return {
    reference(content) {
      const number = numbers.get(content) ?? numbers.size;
      numbers.set(content, number);
      return `#${prefix}t${number}`;
    },
    definitions() {
      if (numbers.size === 0) return [];
      const written = [...numbers].map(
        ([content, number]) => `<text id="${attributeText(prefix)}t${number}">${escapeXml(content)}</text>`,
      );
      return ["<defs>", ...written, "</defs>"];
    },
  };
}

/** Shapes of the same signature at the same place of the list become one that moves; from the first difference on, moments alternate. */
function movingScenes(scenes: readonly Scene[], frame: Frame, clock: Clock, texts: Texts): string[] {
  const drawings = scenes.map((scene) => drawScene(scene, frame));
  const [{ shapes }] = scenes;
  const differs = shapes.findIndex((shape, k) =>
    scenes.some((scene) => scene.shapes[k] === undefined || signature(scene.shapes[k]) !== signature(shape)),
  );
  const shared = differs < 0 ? shapes.length : differs;
  const body: string[] = [];
  for (let k = 0; k < shared; k++) {
    for (let part = 0; part < drawings[0][k].length; part++) {
      body.push(
        moving(
          drawings.map((drawing) => drawing[k][part]),
          clock,
          texts,
        ),
      );
    }
  }
  if (drawings.every((drawing) => drawing.length === shared)) return body;
  drawings.forEach((drawing, moment) => {
    const inside = drawing.slice(shared).flat().map(still).join("");
    if (inside === "") return;
    const seen = drawings.map((_, other) => (other === moment ? "visible" : "hidden"));
    body.push(`<g visibility="${seen[0]}">${switching("visibility", seen, clock)}${inside}</g>`);
  });
  return body;
}

/** One element through all moments. */
function moving(drawings: readonly Drawing[], clock: Clock, texts: Texts): string {
  const [first] = drawings;
  const inside: string[] = [];
  let tag: string = first.tag;
  let attributes = first.attributes;
  let content = "";
  if (first.content !== undefined || tag === "text") {
    const contents = drawings.map((drawing) => drawing.content ?? "");
    if (contents.every((other) => other === contents[0])) {
      if (contents[0] === "") return "";
      content = escapeXml(contents[0]);
    } else {
      const references = contents.map(texts.reference);
      tag = "use";
      attributes = { href: references[0], ...attributes };
      inside.push(switching("href", references, clock));
    }
  }
  for (const name of Object.keys(first.attributes)) {
    const values = drawings.map((drawing) => attributeText(drawing.attributes[name]));
    if (values.every((value) => value === values[0])) continue;
    const even = name === "d" || typeof first.attributes[name] === "number";
    inside.push(even ? flowing(name, values, clock) : switching(name, values, clock));
  }
  return element(tag, attributes, `${content}${inside.join("")}`);
}

/** An attribute that goes evenly from value to value. */
function flowing(name: string, values: readonly string[], { ticks, timing }: Clock): string {
  const last = values[values.length - 1];
  const all = Array.from({ length: ticks + 1 }, (_, tick) => values[tick] ?? last);
  return `<animate attributeName="${name}" values="${all.join(";")}" ${timing}/>`;
}

/** An attribute that jumps from value to value. Only its changes are written. */
function switching(name: string, values: readonly string[], { ticks, timing }: Clock): string {
  const changes = values.map((_, k) => k).filter((k) => k === 0 || values[k] !== values[k - 1]);
  const times = changes.map((k) => Number((k / ticks).toFixed(4)));
  return `<animate attributeName="${name}" calcMode="discrete" values="${changes.map((k) => values[k]).join(";")}" keyTimes="${times.join(";")}" ${timing}/>`;
}

/** A thin bar that grows while the episode lasts. */
function progress(x: number, y: number, width: number, { moments, ticks, timing }: Clock): string {
  const bar = { x, y, height: 2.5 };
  const end = attributeText(width);
  const full = Number(((moments - 1) / ticks).toFixed(4));
  const growth = `<animate attributeName="width" values="0;${end};${end}" keyTimes="0;${full};1" ${timing}/>`;
  return [
    element("rect", { ...bar, width, fill: "#e5e7eb" }),
    element("rect", { ...bar, width: 0, fill: "#0072b2" }, growth),
  ].join("");
}
