export { renderBars } from "./bars.ts";
export type { BarFigure, LineFigure, TableFigure } from "./figure-spec.ts";
export { renderLines } from "./lines.ts";
export { svgToPng } from "./raster.ts";
export { sparkline } from "./sparkline.ts";
export { renderTable } from "./tables.ts";
