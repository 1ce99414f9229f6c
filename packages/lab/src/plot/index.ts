export { renderBars } from "./bars.ts";
export { type DependencyFigure, renderDependencies } from "./dependencies.ts";
export type { Axis, BarFigure, HeatMapFigure, LineFigure, TableFigure } from "./figure-spec.ts";
export { type GraphPanel, renderGraphs } from "./graphs.ts";
export { renderHeatMaps } from "./heat-maps.ts";
export { renderLines } from "./lines.ts";
export { svgToPng } from "./raster.ts";
export { sparkline } from "./sparkline.ts";
export { renderTable } from "./tables.ts";
