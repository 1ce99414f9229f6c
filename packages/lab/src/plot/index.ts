export { renderBars } from "./bars.ts";
export type { BarFigure, LineFigure } from "./figure-spec.ts";
export { renderLines } from "./lines.ts";
export { svgToPng } from "./raster.ts";
export { sparkline } from "./sparkline.ts";
