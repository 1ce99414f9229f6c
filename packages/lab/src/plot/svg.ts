import { fontFamily } from "./style.ts";

/** Coordinates to hundredths of a pixel: equal figures give equal text, without digits that nobody can see. */
export const round = (value: number): number => Math.round(value * 100) / 100;

export function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** A whole document of the given elements on white. */
export function svgDocument(width: number, height: number, elements: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="${fontFamily}, sans-serif">`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    ...elements,
    "</svg>\n",
  ].join("\n");
}
