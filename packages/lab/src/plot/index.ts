export { renderBars } from "./bars.ts";
export type {
  Axis,
  Bar,
  BarFigure,
  BarPanel,
  Curve,
  LineFigure,
  LinePanel,
  ReferenceLine,
} from "./figure-spec.ts";
export { renderLines } from "./lines.ts";
export { svgToPng } from "./raster.ts";
export { sparkline } from "./sparkline.ts";
