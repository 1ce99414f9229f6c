import { type AlgorithmName, algorithms, type Preset } from "corral/algorithms";
import type { JsonValue } from "corral/envs";
import { all, betterThan, claim, endsBeyond, lateAverage, trainingAverage } from "./claims.ts";
import { type FigureDefinition, figure, type Scale, type SeriesDefinition } from "./figure.ts";

type Config = Readonly<Record<string, JsonValue>>;

/** One of the paper's three examples. */
interface Problem {
  /** Its panel. */
  readonly panel: string;
  readonly env: string;
  readonly envConfig: Config;
  /** Presets with settings that were found for each method, and with those that the paper prints for MAStAC. */
  readonly presets: { readonly tuned: string; readonly paper: string };
  /** Steps whose rewards count in what the paper calls approximated. */
  readonly kappa: number;
  /** Scores of the best plan or controller, and of doing nothing, in units of the figure. */
  readonly best: number;
  readonly nothing: number;
}

export const problems = {
  nine: {
    panel: "nine warehouses",
    env: "warehouse",
    envConfig: { instance: "nine" },
    presets: { tuned: "nine", paper: "paperNine" },
    // Two steps are exact here.
    kappa: 1,
    best: 0,
    nothing: -6.887,
  },
  ring: {
    panel: "ring of 40 warehouses",
    env: "warehouse",
    envConfig: { instance: "ring" },
    presets: { tuned: "ring", paper: "paperRing" },
    kappa: 2,
    best: -11.02,
    nothing: -27.55,
  },
  temperature: {
    panel: "40 zones",
    env: "temperature",
    envConfig: {},
    presets: { tuned: "temperature", paper: "paperTemperature" },
    kappa: 2,
    best: -104.22,
    nothing: -3185.29,
  },
} as const satisfies Record<string, Problem>;
export type ProblemName = keyof typeof problems;
export const problemNames = Object.keys(problems) as ProblemName[];

/** The methods, called as in the paper's Table 1; its QDCG centralized has a complete graph, its decentralized no edges. */
const methods = {
  "MAStAC sim.": { algorithm: "mastac", own: { replace: "all" } },
  "MAStAC approx.": { algorithm: "mastac", own: { replace: "all", dependency: "kappa" } },
  MADDPG: { algorithm: "maddpg", own: {} },
  MATD3: { algorithm: "matd3", own: {} },
  FACMAC: { algorithm: "facmac", own: {} },
  "QDCG complete": { algorithm: "qdcg", own: { edges: "complete", replace: "all" } },
  "QDCG no edges": { algorithm: "qdcg", own: { edges: "none", replace: "all" } },
} as const satisfies Record<string, { algorithm: AlgorithmName; own: Config }>;
export type Method = keyof typeof methods;

const mastacs = ["MAStAC sim.", "MAStAC approx."] as const;
const central = ["MADDPG", "MATD3", "FACMAC"] as const;
const dear = "QDCG complete";
const cheap = "QDCG no edges";

/** QDCG asks for agents that observe alike. */
export const methodsOf = (problem: ProblemName): readonly Method[] =>
  problem === "nine" ? [...mastacs, ...central] : [...mastacs, ...central, dear, cheap];

/** A curve of one method, with settings found for it or, at the scale of the paper, those that the paper prints. */
export function trained(problem: ProblemName, method: Method, more: Config = {}): SeriesDefinition {
  const { env, envConfig, presets, kappa } = problems[problem];
  const { algorithm, own } = methods[method];
  const configOf = (preset: string): Config => ({
    ...presetOf(algorithm, preset),
    ...own,
    ...("dependency" in own ? { kappa } : {}),
    ...more,
  });
  return {
    series: method,
    algorithm,
    env,
    envConfig,
    config: configOf(presets.tuned),
    configs: { paper: configOf(presets.paper) },
    // An update costs as much as fifteen of the others.
    ...(method === dear ? { seeds: { smoke: 1, quick: 1, paper: 5 } } : {}),
  };
}

function presetOf(algorithm: AlgorithmName, name: string): Config {
  const presets: Readonly<Record<string, Preset>> = algorithms[algorithm].presets ?? {};
  return presets[name].config;
}

/** Says whose settings the runs of a scale have, and what else there is to know of those that were found. */
function settingsCaptions(
  who: "each method" | "MAStAC",
  names: readonly ProblemName[],
  found = "",
): Readonly<Record<Scale, string>> {
  const list = (which: "tuned" | "paper") =>
    `preset${names.length === 1 ? "" : "s"} ${names.map((name) => problems[name].presets[which]).join(", ")}`;
  const tuned = `Settings found for ${who} (${list("tuned")})${found}.`;
  const given = who === "MAStAC" ? "" : " printed for MAStAC and given to all methods";
  return {
    smoke: tuned,
    quick: tuned,
    paper: `Settings of the paper's Table 3${given} (${list("paper")}).`,
  };
}

/** The paper's score: the mean over the last fifth of training. */
const score = { measure: lateAverage(0.2) };
/** How fast a method learns; what is worse than doing nothing counts as doing nothing. */
const speed = (problem: ProblemName) => ({ measure: trainingAverage({ floor: problems[problem].nothing }) });

/** Each of the first better than each of the second. */
const above = (
  better: readonly string[],
  worse: readonly string[],
  options: Parameters<typeof betterThan>[2],
) => all(...better.flatMap((first) => worse.map((second) => betterThan(first, second, options))));

// An iteration is ten episodes of eight steps. Nothing is random without exploration.
const warehouses = { steps: "episodes", stepsEach: 8, evaluateEvery: 5, evaluationEpisodes: 1 } as const;

const returns = { name: "eval/return", label: "return", unit: "per episode", better: "higher" } as const;

const metrics = {
  nine: { ...returns, domain: [-10, 0] },
  ring: { ...returns, domain: [-200, -10], logarithmic: true },
  temperature: {
    ...returns,
    label: "return by zone",
    divisor: 40,
    domain: [-10_000, -100],
    logarithmic: true,
  },
} as const;

const equalShares = { nine: -5.053, ring: -24.83 };

/** By zone, of -9 kW in every zone at every step. */
const holding = -161.22;

/** Scores of play that nobody learns, in units of the figure. */
const references = {
  nine: [
    { label: "best plan, 0", value: problems.nine.best },
    { label: "equal shares, -5.05", value: equalShares.nine },
    { label: "nothing sent, -6.89", value: problems.nine.nothing },
  ],
  ring: [
    { label: "best plan, -11.02", value: problems.ring.best },
    { label: "equal shares, -24.83", value: equalShares.ring },
  ],
  temperature: [
    { label: "best controller, -104.22; of neighbours alone, -105.05", value: problems.temperature.best },
    { label: "all hold -9 kW, -161.2", value: holding },
    { label: "no control, -3185", value: problems.temperature.nothing },
  ],
} as const satisfies Record<ProblemName, FigureDefinition["references"]>;

/** Environment steps of so many episodes. */
const episodes = (each: number, counts: Readonly<Record<Scale, number>>): Record<Scale, number> => ({
  smoke: each * counts.smoke,
  quick: each * counts.quick,
  paper: each * counts.paper,
});

const lengths = {
  nine: episodes(8, { smoke: 60, quick: 1000, paper: 3500 }),
  ring: episodes(8, { smoke: 40, quick: 700, paper: 6000 }),
  temperature: episodes(40, { smoke: 10, quick: 250, paper: 5000 }),
};

const seeds = { smoke: 2, quick: 5, paper: 15 } as const;

const effortsOf = (steps: Readonly<Record<Scale, number>>): FigureDefinition["scales"] => ({
  smoke: { seeds: seeds.smoke, steps: steps.smoke },
  quick: { seeds: seeds.quick, steps: steps.quick },
  paper: { seeds: seeds.paper, steps: steps.paper },
});

const { nine, ring, temperature } = problems;
const inNine = <Options>(options: Options) => ({ ...options, panel: nine.panel });
const inRing = <Options>(options: Options) => ({ ...options, panel: ring.panel });
const inZones = <Options>(options: Options) => ({ ...options, panel: temperature.panel });

export const figure1 = figure("mabn/figure-1", {
  title: "MAStAC and methods with central critics on the paper's three problems",
  caption:
    "Return of an episode played without exploration; on the right divided by 40 zones. Right and middle: logarithmic axes; what is below " +
    "an axis is not shown. Dashed rules: play that nobody learns. The best controller of zones is the " +
    "linear-quadratic optimum, which sees everything; the second one is masked to what agents observe. Demands, the nine's couplings and the " +
    "largest input (30 kW) are ours, because the paper does not print them. MAStAC approx.: κ = 2, on nine 1, two steps being exact. " +
    "All actors' actions are replaced in MAStAC's objective. QDCG takes agents that are alike only.",
  captions: settingsCaptions(
    "each method",
    problemNames,
    "; an episode is followed by one update on nine, by one on the ring (of MAStAC two), and by four in zones",
  ),
  runs: problemNames.flatMap((problem) =>
    methodsOf(problem).map((method) => ({ ...trained(problem, method), panel: problems[problem].panel })),
  ),
  metric: metrics.nine,
  ...warehouses,
  scales: effortsOf(lengths.nine),
  panelSize: [320, 240],
  panels: {
    [ring.panel]: { metric: metrics.ring, length: lengths.ring },
    [temperature.panel]: {
      metric: metrics.temperature,
      length: lengths.temperature,
      stepsEach: 40,
      evaluateEvery: 2,
      evaluationEpisodes: 10,
    },
  },
  references: problemNames.flatMap((problem) =>
    references[problem].map((reference) => ({ ...reference, panel: problems[problem].panel })),
  ),
  claims: [
    claim(
      "nine: “‘MAStAC simultaneous and approximated’ achieve a faster convergence [...] compared to the other centralized baselines”",
      above(mastacs, central, inNine(speed("nine"))),
    ),
    claim(
      "nine: “the highest mean total average reward per episode”, over the last fifth of training",
      above(mastacs, central, inNine(score)),
    ),
    claim(
      "ring: “‘MAStAC approximated’ with κ = 2 achieves the fastest convergence across the benchmarks”",
      above(["MAStAC approx."], ["MAStAC sim.", ...central, cheap], inRing(speed("ring"))),
    ),
    claim(
      "ring: the same, faster than QDCG centralized (complete)",
      above(["MAStAC approx."], [dear], inRing(speed("ring"))),
    ),
    claim(
      "ring: ‘MAStAC simultaneous’ “converges to a higher reward compared to other centralized baselines”",
      above(["MAStAC sim."], central, inRing(score)),
    ),
    claim(
      "ring: QDCG decentralized (no edges) performs “better than MADDPG, MATD3, and FACMAC”",
      above([cheap], central, inRing(score)),
    ),
    claim("ring: the same of QDCG centralized (complete)", above([dear], central, inRing(score))),
    claim(
      "ring: QDCG decentralized converges “to lower average rewards when compared to MAStAC (Simultaneous and Approximated)”",
      above(mastacs, [cheap], inRing(score)),
    ),
    claim("ring: the same of QDCG centralized (complete)", above(mastacs, [dear], inRing(score))),
    claim(
      "(not in the paper) ring: both MAStAC end above equal shares",
      all(...mastacs.map((name) => endsBeyond(name, inRing({ value: equalShares.ring })))),
    ),
    claim(
      "zones: “‘MAStAC approximated’ with κ = 2 achieves the fastest convergence”",
      above(["MAStAC approx."], ["MAStAC sim.", ...central, cheap], inZones(speed("temperature"))),
    ),
    claim(
      "zones: the same, faster than QDCG centralized (complete)",
      above(["MAStAC approx."], [dear], inZones(speed("temperature"))),
    ),
    claim(
      "zones: “‘MAStAC simultaneous’ converges to a higher reward than ‘MAStAC approximated’”",
      betterThan("MAStAC sim.", "MAStAC approx.", inZones(score)),
    ),
    claim(
      "zones: “MADDPG, MATD3, and FACMAC struggle to learn effectively whereas QDCG [...] decentralized converge to a comparatively higher reward”",
      above([cheap], central, inZones(score)),
    ),
    claim("zones: the same of QDCG centralized (complete)", above([dear], central, inZones(score))),
    claim(
      "zones: “MAStAC simultaneous and approximated algorithms converge to higher rewards” than QDCG decentralized",
      above(mastacs, [cheap], inZones(score)),
    ),
    claim("zones: the same of QDCG centralized (complete)", above(mastacs, [dear], inZones(score))),
    claim(
      "(not in the paper) zones: both MAStAC end above holding -9 kW, the paper's best return",
      all(...mastacs.map((name) => endsBeyond(name, inZones({ value: holding })))),
    ),
  ],
});

const ablated = (series: string, more: Config): SeriesDefinition => ({
  ...trained("nine", "MAStAC sim.", more),
  series,
});

const undecomposed = ["undecomposed Q", "undecomposed Qhat"] as const;

const figure2 = figure("mabn/figure-2", {
  title: "MAStAC without its parts: nine warehouses",
  caption:
    "Return of an episode played without exploration; what is below the axis is not shown. undecomposed Q: the critic of " +
    "an agent is told all states and actions; undecomposed Qhat: one critic of the sum that an actor climbs, told everything; coordinated: " +
    "agents take their steps one after the other; own action only: an actor's objective has the others' actions from the replay, as " +
    "algorithm 1 prints it, and not those of the present actors.",
  captions: settingsCaptions("MAStAC", ["nine"]),
  runs: [
    trained("nine", "MAStAC sim."),
    ablated("undecomposed Q", { critics: "undecomposed" }),
    ablated("undecomposed Qhat", { critics: "undecomposed-sum" }),
    ablated("coordinated", { order: "coordinated" }),
    ablated("own action only", { replace: "own" }),
  ],
  metric: metrics.nine,
  ...warehouses,
  scales: {
    ...effortsOf(episodes(8, { smoke: 60, quick: 1000, paper: 6000 })),
    quick: { seeds: 10, steps: lengths.nine.quick },
  },
  references: references.nine,
  panelSize: [400, 260],
  threshold: -0.1,
  claims: [
    claim(
      "“both ‘MAStAC undecomposed Q’ and ‘MAStAC undecomposed Qhat’ exhibit slower convergence”",
      above(["MAStAC sim."], undecomposed, speed("nine")),
    ),
    claim(
      "“the converged average rewards” are higher with the decomposition, over the last fifth of training",
      above(["MAStAC sim."], undecomposed, score),
    ),
    claim(
      "“this simultaneous implementation outperforms coordinated implementation”: it learns faster",
      above(["MAStAC sim."], ["coordinated"], speed("nine")),
    ),
  ],
});

const kappas = [2, 4, 6, 8];
const kappaCurve = (kappa: number): string => `κ = ${kappa}`;

const figure11 = figure("mabn/figure-11", {
  title: "How far ahead dependency sets look: ring of 40 warehouses",
  caption:
    "Return of an episode played without exploration, on a logarithmic axis; what is below is not shown. κ: steps whose rewards count in the " +
    "dependency sets of MAStAC approx., which have 11, 19, 27 and 35 of 40 agents; exact sets have all.",
  captions: settingsCaptions("MAStAC", ["ring"]),
  runs: [
    ...kappas.map((kappa) => ({
      ...trained("ring", "MAStAC approx.", { kappa }),
      series: kappaCurve(kappa),
    })),
    { ...trained("ring", "MAStAC sim."), series: "exact" },
  ],
  metric: metrics.ring,
  ...warehouses,
  scales: effortsOf(lengths.ring),
  references: references.ring,
  panelSize: [400, 260],
  claims: [
    claim(
      "“as the value of κ increases, the rate of convergence decreases”, from each value to the next",
      all(
        ...pairsOf(kappas).map(([less, more]) =>
          betterThan(kappaCurve(less), kappaCurve(more), speed("ring")),
        ),
      ),
    ),
    claim(
      "“As κ increases, the performance of the algorithm degrades”: κ = 2 learns faster than 8 and ends higher",
      all(
        betterThan(kappaCurve(2), kappaCurve(8), speed("ring")),
        betterThan(kappaCurve(2), kappaCurve(8), score),
      ),
    ),
    claim(
      "“faster convergence than the exact value dependence set for applications with a large number of agents” (abstract)",
      all(...kappas.map((kappa) => betterThan(kappaCurve(kappa), "exact", speed("ring")))),
    ),
  ],
});

/** Each with the one after it. */
function pairsOf<Item>(items: readonly Item[]): (readonly [Item, Item])[] {
  return items.slice(1).map((item, k) => [items[k], item]);
}

/** Qadri Syed and He, "Structured cooperative multi-agent reinforcement learning: a Bayesian network perspective". */
export const mabn = [figure1, figure2, figure11] as const;
