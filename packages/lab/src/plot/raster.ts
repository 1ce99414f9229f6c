import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Resvg } from "@resvg/resvg-js";
import { fontFamily } from "./style.ts";

const fontFiles = ["DejaVuSans.ttf", "DejaVuSans-Bold.ttf"];

/**
 * Turns an SVG document into PNG bytes. Text is drawn with the fonts that come with this package and never with those
 * of the system, so the pixels are the same on every machine.
 *
 * @param scale pixels per SVG unit. Default 2.
 */
export function svgToPng(svg: string, scale = 2): Uint8Array {
  const directory = fontDirectory();
  const image = new Resvg(svg, {
    fitTo: { mode: "zoom", value: scale },
    background: "white",
    font: {
      loadSystemFonts: false,
      fontFiles: fontFiles.map((name) => join(directory, name)),
      defaultFontFamily: fontFamily,
      sansSerifFamily: fontFamily,
    },
  });
  return image.render().asPng();
}

/** The package's `fonts` folder: above this file by a distance that differs between the sources and the build. */
function fontDirectory(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const candidate = join(folder, "fonts");
    if (existsSync(join(candidate, fontFiles[0]))) return candidate;
    const parent = dirname(folder);
    // Without its font resvg would leave every text out and say nothing.
    if (parent === folder) throw new Error(`the fonts of this package are missing: no fonts/${fontFiles[0]}`);
    folder = parent;
  }
}
