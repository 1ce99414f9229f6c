import type { JsonValue } from "corral/envs";
import { InputError, nearest } from "corral/errors";
import { type Claim, comparisonsOf, type Direction } from "./claims.ts";
import type { FigureRun } from "./executor.ts";

/** How much work a figure is given: a check of the plumbing, a first answer, the paper's own numbers. */
export const scales = ["smoke", "quick", "paper"] as const;
export type Scale = (typeof scales)[number];

/** What one scale means for one figure. */
interface Effort {
  /** Runs per curve. */
  readonly seeds: number;
  /** Environment steps per run. */
  readonly steps: number;
}

/** A curve before it is multiplied by seeds. */
export interface SeriesDefinition {
  readonly series: string;
  readonly panel?: string;
  readonly algorithm: string;
  readonly env: string;
  readonly config: Readonly<Record<string, JsonValue>>;
  /** Settings at a scale, in place of all of `config`. */
  readonly configs?: Readonly<Partial<Record<Scale, Readonly<Record<string, JsonValue>>>>>;
  readonly envConfig: Readonly<Record<string, JsonValue>>;
  /** Iterations between evaluations, where the learner's iterations are not as long as those of the other curves. */
  readonly evaluateEvery?: number;
  /** Runs at a scale, where one is too dear for as many as the other curves have. A number that is asked for goes before. */
  readonly seeds?: Readonly<Partial<Record<Scale, number>>>;
}

/** The number a figure shows. */
export interface MetricDefinition {
  /** Its name in the metrics of a run. */
  readonly name: string;
  /** Title of the axis. */
  readonly label: string;
  readonly unit?: string;
  /** What the run's values are divided by, such as the number of agents. Default 1. */
  readonly divisor?: number;
  readonly better: Direction;
  /** Part of the axis that is drawn; the caption must say when that hides something. Default: everything. */
  readonly domain?: readonly [number, number];
  /** Whether equal ratios lie equally far apart; all values then have one sign. */
  readonly logarithmic?: boolean;
  /** The curves it is shown of, where it says nothing about the others or they do not have it. Default: all. */
  readonly series?: readonly string[];
}

/** What a panel has in place of the figure's own. */
interface PanelDefinition {
  /** Of the same metric, which claims are about. */
  readonly metric?: MetricDefinition;
  /** Environment steps of each of its runs. */
  readonly length?: Readonly<Record<Scale, number>>;
  readonly stepsEach?: number;
  readonly evaluateEvery?: number;
  readonly evaluationEpisodes?: number;
}

/** A horizontal rule. */
export interface Reference {
  readonly label: string;
  readonly value: number;
  /** The panel it belongs to; all of them by default. */
  readonly panel?: string;
}

/** A figure of a paper as data: what to run, what to draw, what the paper says about it. */
export interface FigureDefinition {
  /** Paper and figure, for example `"subteams/figure-2-aloha"`. */
  readonly id: string;
  readonly title: string;
  /** What is special about this figure; how lines and bands are made is added. */
  readonly caption: string;
  /** What is said of a scale alone, after the caption. */
  readonly captions?: Readonly<Partial<Record<Scale, string>>>;
  readonly runs: readonly SeriesDefinition[];
  readonly metric: MetricDefinition;
  /** Each is drawn as a further row of the same panels. */
  readonly furtherMetrics?: readonly MetricDefinition[];
  /** What an environment step is here, where it is something else; for example `"gradient steps"`. */
  readonly steps?: string;
  /** Environment steps in one of those. Default 1. */
  readonly stepsEach?: number;
  /** Panels that differ from the others, by name. */
  readonly panels?: Readonly<Record<string, PanelDefinition>>;
  readonly scales: Readonly<Record<Scale, Effort>>;
  /** Iterations of the learner between evaluations. */
  readonly evaluateEvery: number;
  readonly evaluationEpisodes: number;
  /** Curves of one kind, which are dashed while all others are solid; the caption must say what the kinds are. */
  readonly dashed?: readonly string[];
  /**
   * Draws the attention of the first run of a curve as heat maps, in place of curves; runs then have the metrics of
   * `attentionMeasures` as well, at their end.
   */
  readonly heatMaps?: { readonly series: string; readonly samples: number };
  /**
   * Draws the DAGs of the first run of each curve in one state, in place of curves, where the agents stand; the parents of
   * `child` stand out. Runs then have the metrics of `dagMeasures` in that state as well, at their end.
   */
  readonly dags?: { readonly state: readonly number[]; readonly child: number };
  /** Size of a panel's plotting area in pixels, where there are too many curves for the usual one. */
  readonly panelSize?: readonly [number, number];
  /** Horizontal rules: scores of policies that are not trained. */
  readonly references?: readonly Reference[];
  /** Further ones, which are measured when the figure is drawn. */
  readonly measureReferences?: () => readonly Reference[];
  /** The table gives the share of runs whose final value is above this. */
  readonly threshold?: number;
  readonly claims: readonly Claim[];
}

/**
 * Checks a figure once, where it is declared.
 *
 * @throws InputError when two curves of a panel have one name, a scale is not sensible, or a claim names a curve, a
 * panel or a metric that the figure does not have
 */
export function figure(id: string, definition: Omit<FigureDefinition, "id">): FigureDefinition {
  const where = `figure ${id}`;
  if (!/^[a-z0-9-]+\/[a-z0-9-]+$/.test(id)) {
    throw new InputError(`figure: expected an id such as "paper/figure-1" but received "${id}"`);
  }
  if (definition.runs.length === 0) throw new InputError(`${where}: expected at least one curve`);
  const places = definition.runs.map(({ panel, series }) => JSON.stringify([panel ?? null, series]));
  const twice = places.find((place, i) => places.indexOf(place) !== i);
  if (twice !== undefined) throw new InputError(`${where}: two curves are called ${JSON.parse(twice)[1]}`);
  for (const scale of scales) {
    const { seeds, steps } = definition.scales[scale];
    const counts = [seeds, steps, ...definition.runs.map((run) => run.seeds?.[scale] ?? 1)];
    if (!counts.every((count) => Number.isInteger(count) && count >= 1)) {
      throw new InputError(`${where}: scale ${scale}: expected whole seeds and steps of 1 or more`);
    }
  }
  expectPanels(where, definition);
  const named = [
    ...(definition.dashed ?? []),
    ...metricsOf(definition).flatMap(({ series }) => series ?? []),
    ...(definition.heatMaps === undefined ? [] : [definition.heatMaps.series]),
  ];
  for (const name of named) {
    expectCurve(where, name, [...new Set(definition.runs.map(({ series }) => series))]);
  }
  const panels = new Set(definition.runs.map(({ panel }) => panel));
  const metrics = metricsOf(definition);
  for (const claim of definition.claims) {
    for (const { first, second, panel, metric = definition.metric.name } of comparisonsOf(claim.judge)) {
      const found = metrics.find(({ name }) => name === metric);
      if (found === undefined) {
        throw new InputError(
          `${where}: claim "${claim.text}" is about ${metric}, expected one of ${metrics.map(({ name }) => name).join(", ")}`,
        );
      }
      if (!panels.has(panel)) {
        throw new InputError(
          `${where}: claim "${claim.text}" is about ${panelName(panel)}, which it does not have`,
        );
      }
      const names = definition.runs
        .filter((run) => run.panel === panel && isShownOf(found, run.series))
        .map(({ series }) => series);
      for (const name of [first, second]) expectCurve(`${where}: claim "${claim.text}"`, name, names);
    }
  }
  return { id, ...definition };
}

function expectPanels(where: string, definition: Omit<FigureDefinition, "id">): void {
  const known = new Set(definition.runs.map(({ panel }) => panel));
  for (const [panel, own] of Object.entries(definition.panels ?? {})) {
    if (!known.has(panel)) throw new InputError(`${where}: panel "${panel}" has no curves`);
    const { name, better } = { ...definition.metric, ...own.metric };
    if (name !== definition.metric.name || better !== definition.metric.better) {
      throw new InputError(`${where}: panel "${panel}" shows ${name}, expected ${definition.metric.name}`);
    }
    const counts = [...Object.values(own.length ?? {}), own.stepsEach ?? 1];
    if (!counts.every((count) => Number.isInteger(count) && count >= 1)) {
      throw new InputError(`${where}: panel "${panel}": expected whole steps of 1 or more`);
    }
  }
}

/** What holds in a panel: its own settings, and the figure's where it has none. */
export function settingsOf(
  definition: FigureDefinition,
  panel: string | undefined,
): Required<PanelDefinition> {
  const { metric, scales: efforts, stepsEach = 1, evaluateEvery, evaluationEpisodes } = definition;
  const length = { smoke: efforts.smoke.steps, quick: efforts.quick.steps, paper: efforts.paper.steps };
  const own = panel === undefined ? undefined : definition.panels?.[panel];
  return { metric, length, stepsEach, evaluateEvery, evaluationEpisodes, ...own };
}

function expectCurve(where: string, name: string, names: readonly string[]): void {
  if (names.includes(name)) return;
  const suggestion = nearest(name, names);
  const hint = suggestion === undefined ? "" : ` Did you mean "${suggestion}"?`;
  throw new InputError(`${where}: unknown curve "${name}": expected one of ${names.join(", ")}.${hint}`);
}

/** All metrics a figure draws, its first one first. */
export function metricsOf({
  metric,
  furtherMetrics = [],
}: Pick<FigureDefinition, "metric" | "furtherMetrics">): MetricDefinition[] {
  return [metric, ...furtherMetrics];
}

/** Whether a figure has the metric of a curve. */
export const isShownOf = ({ series }: Pick<MetricDefinition, "series">, name: string): boolean =>
  series?.includes(name) ?? true;

function panelName(panel: string | undefined): string {
  return panel === undefined ? "an unnamed panel" : `panel "${panel}"`;
}

/** A setting that takes several values, by the name each has in the figure. */
export interface Varied {
  readonly varies: "series" | "panel";
  readonly values: Readonly<Record<string, JsonValue>>;
}

/** One curve for each value. */
export function curves(values: Readonly<Record<string, JsonValue>>): Varied {
  return { varies: "series", values };
}

/** One panel for each value. */
export function panels(values: Readonly<Record<string, JsonValue>>): Varied {
  return { varies: "panel", values };
}

export interface Grid {
  readonly algorithm: JsonValue | Varied;
  readonly env: JsonValue | Varied;
  readonly config?: Readonly<Record<string, JsonValue | Varied>>;
  readonly envConfig?: Readonly<Record<string, JsonValue | Varied>>;
}

/**
 * All combinations of the settings that vary, in the order they are written, the last varying fastest. A curve's name
 * joins the names of its values with a comma, a panel's likewise.
 *
 * @throws InputError when no setting makes curves
 */
export function grid(settings: Grid): SeriesDefinition[] {
  const entries: [path: readonly [string, string?], value: JsonValue | Varied][] = [
    [["algorithm"], settings.algorithm],
    [["env"], settings.env],
    ...Object.entries(settings.config ?? {}).map(([key, value]) => [["config", key], value] as never),
    ...Object.entries(settings.envConfig ?? {}).map(([key, value]) => [["envConfig", key], value] as never),
  ];
  if (!entries.some(([, value]) => isVaried(value) && value.varies === "series")) {
    throw new InputError("grid: expected at least one setting given as curves({ name: value })");
  }
  let combinations: { series: string[]; panel: string[]; chosen: Map<string, JsonValue> }[] = [
    { series: [], panel: [], chosen: new Map() },
  ];
  for (const [path, value] of entries) {
    const key = path.join("\n");
    combinations = combinations.flatMap(({ series, panel, chosen }) =>
      isVaried(value)
        ? Object.entries(value.values).map(([name, choice]) => ({
            series: value.varies === "series" ? [...series, name] : series,
            panel: value.varies === "panel" ? [...panel, name] : panel,
            chosen: new Map(chosen).set(key, choice),
          }))
        : [{ series, panel, chosen: new Map(chosen).set(key, value) }],
    );
  }
  return combinations.map(({ series, panel, chosen }) => {
    const section = (name: string) =>
      Object.fromEntries(
        [...chosen]
          .filter(([key]) => key.startsWith(`${name}\n`))
          .map(([key, value]) => [key.slice(name.length + 1), value]),
      );
    return {
      series: series.join(", "),
      ...(panel.length === 0 ? {} : { panel: panel.join(", ") }),
      algorithm: String(chosen.get("algorithm")),
      env: String(chosen.get("env")),
      config: section("config"),
      envConfig: section("envConfig"),
    };
  });
}

function isVaried(value: JsonValue | Varied): value is Varied {
  return typeof value === "object" && value !== null && "varies" in value;
}

/** Every run of a figure at a scale: curves in order, and for each the seeds 1, 2, ... */
export function figureRuns(definition: FigureDefinition, scale: Scale, seeds?: number): FigureRun[] {
  const effort = definition.scales[scale];
  const count = seeds ?? effort.seeds;
  if (!Number.isInteger(count) || count < 1) {
    throw new InputError(`seeds: expected a whole number of 1 or more but received ${count}`);
  }
  return definition.runs.flatMap((run) => {
    const settings = settingsOf(definition, run.panel);
    const { series, panel, seeds: own, configs, config, ...what } = run;
    return Array.from({ length: seeds ?? own?.[scale] ?? count }, (_, i) => ({
      series,
      ...(panel === undefined ? {} : { panel }),
      request: {
        ...what,
        config: configs?.[scale] ?? config,
        seed: i + 1,
        steps: settings.length[scale],
        evaluateEvery: run.evaluateEvery ?? settings.evaluateEvery,
        evaluationEpisodes: settings.evaluationEpisodes,
      },
    }));
  });
}
