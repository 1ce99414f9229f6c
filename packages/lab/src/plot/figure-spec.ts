/** One axis of a panel. */
export interface Axis {
  readonly label: string;
  /** Written in brackets after the label, for example `"steps"`. */
  readonly unit?: string;
  /** Lowest and highest value shown; what lies outside is cut off. Default: all of the data. */
  readonly domain?: readonly [number, number];
  /** Whether equal ratios lie equally far apart; all values are then above 0, or all below. For lines only. */
  readonly logarithmic?: boolean;
  /**
   * Number format of the ticks in the notation of d3-format. Default `"~s"` (10k, 1M) for x, `",~r"` where x stays below
   * 10,000, and `"~r"` for y.
   */
  readonly format?: string;
}

/** One line with an optional band. All arrays have one length, in order of the steps. */
export interface Curve {
  /** Shown as its label; curves of one name have one colour in every panel. */
  readonly name: string;
  readonly steps: ArrayLike<number>;
  readonly centre: ArrayLike<number>;
  readonly low?: ArrayLike<number>;
  readonly high?: ArrayLike<number>;
  /** Whether it belongs to a kind that the figure sets apart: such curves are dashed, all others solid. */
  readonly dashed?: boolean;
}

/** A horizontal rule with a label, such as the score of a scripted policy. */
export interface ReferenceLine {
  readonly label: string;
  readonly value: number;
}

export interface LinePanel {
  readonly title?: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly curves: readonly Curve[];
  /** Marks the points that lines join: for few measurements. */
  readonly dots?: boolean;
  readonly references?: readonly ReferenceLine[];
}

export interface LineFigure {
  readonly title?: string;
  /** Sentences under the panels. Say here what the line and the band are. */
  readonly caption?: string;
  readonly panels: readonly LinePanel[];
  /** Panels beside each other before a new row begins. Default 3. */
  readonly columns?: number;
  /** Size of one panel's plotting area in pixels. Default 300 x 200. */
  readonly panelSize?: readonly [number, number];
}

/** One bar with an optional error bar. */
interface Bar {
  /** Shown under the bar's group. */
  readonly group: string;
  /** Decides the colour. */
  readonly name: string;
  readonly value: number;
  readonly low?: number;
  readonly high?: number;
}

export interface BarPanel {
  readonly title?: string;
  /** Title of the axis of groups. */
  readonly groupLabel: string;
  readonly y: Axis;
  readonly bars: readonly Bar[];
  readonly references?: readonly ReferenceLine[];
}

export interface BarFigure {
  readonly title?: string;
  readonly caption?: string;
  readonly panels: readonly BarPanel[];
  readonly columns?: number;
  readonly panelSize?: readonly [number, number];
}

/** A table as a figure. */
export interface TableFigure {
  readonly title?: string;
  readonly caption?: string;
  /** A line break in a cell begins a second line. */
  readonly head: readonly string[];
  /** Each with as many cells as the head. */
  readonly rows: readonly (readonly string[])[];
  /** Columns whose cells stand at the right, by index. */
  readonly right?: readonly number[];
}

/** A square matrix of shares as coloured cells. */
export interface HeatMap {
  readonly title: string;
  /** Rows of the matrix, each with as many numbers as there are labels. */
  readonly values: readonly (readonly number[])[];
}

/** Heat maps of matrices that share their labels and their colour scale. */
export interface HeatMapFigure {
  readonly title?: string;
  readonly caption?: string;
  /** Of rows and columns alike. */
  readonly labels: readonly string[];
  readonly rowTitle: string;
  readonly columnTitle: string;
  readonly maps: readonly HeatMap[];
  /** Maps beside each other before a new row begins. Default 3. */
  readonly columns?: number;
}
