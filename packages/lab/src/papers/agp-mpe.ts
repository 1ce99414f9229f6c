import { type AlgorithmName, algorithms, type Preset } from "corral/algorithms";
import {
  averageReturn,
  configureEnv,
  type EnvDefinition,
  type EnvironmentName,
  environments,
  type JsonValue,
  type ReferencePolicies,
  uniformActions,
} from "corral/envs";
import { createRng } from "corral/random";
import { all, betterThan, claim, trainingAverage } from "./claims.ts";
import { figure, type Reference, type Scale, type SeriesDefinition } from "./figure.ts";

type Config = Readonly<Record<string, JsonValue>>;

/** The paper's six tasks. */
const tasks = {
  Reference: "mpe/reference",
  Push: "mpe/push",
  "World-Comm": "mpe/world-comm",
  "Speaker-Listener": "mpe/speaker-listener",
  Crypto: "mpe/crypto",
  Tag: "mpe/tag",
} as const satisfies Record<string, EnvironmentName>;
type Task = keyof typeof tasks;
const taskNames = Object.keys(tasks) as Task[];

/** What each method is called in the paper, and the settings of a check of the plumbing. */
const methods = {
  AGP: { algorithm: "agp", tiny: { width: 8, heads: 2, layers: 1 } },
  "AGP-PG": { algorithm: "agp-pg", tiny: { width: 8, heads: 2, layers: 1 } },
  DCG: { algorithm: "dcg", tiny: { hidden: 8 } },
  DICG: { algorithm: "dicg-value", tiny: { width: 8, encoderWidth: 8, headWidths: [8] } },
  VDN: { algorithm: "vdn", tiny: { hidden: 8 } },
  IQL: { algorithm: "iql", tiny: { hidden: 8 } },
  QMIX: { algorithm: "qmix", tiny: { hidden: 8 } },
  FOP: { algorithm: "fop", tiny: { hidden: 8 } },
  MACPF: { algorithm: "macpf", tiny: { hidden: 8 } },
} as const satisfies Record<string, { algorithm: AlgorithmName; tiny: Config }>;
type Method = keyof typeof methods;
const methodNames = Object.keys(methods) as Method[];
const baselines = methodNames.filter((name) => !name.startsWith("AGP"));
const actingAlone = ["VDN", "IQL", "QMIX", "FOP", "MACPF"] as const satisfies readonly Method[];

/** Loops whose iterations are 20, 800 and 2000 environment steps. */
const loops = {
  replay: {
    smoke: { environments: 4, rolloutSteps: 1, cycles: 5, batchSize: 16 },
    quick: {},
    paper: { cycles: 80 },
  },
  rollout: {
    smoke: { environments: 2, rolloutSteps: 10, minibatches: 1 },
    quick: {},
    paper: { environments: 80 },
  },
} as const satisfies Record<string, Record<Scale, Config>>;

/** A curve of one method in one task. */
function trained(method: Method, task: Task): SeriesDefinition {
  const { algorithm, tiny } = methods[method];
  const presets: Readonly<Record<string, Preset>> = algorithms[algorithm].presets ?? {};
  const { replay, rollout } = loops;
  const loop = method === "AGP-PG" ? rollout : replay;
  const paper = { ...presets.mpe.config, ...loop.paper };
  const fast = (presets["mpe-fast"] ?? presets.mpe).config;
  return {
    series: method,
    panel: task,
    algorithm,
    env: tasks[task],
    envConfig: {},
    config: paper,
    configs: {
      smoke: { ...fast, ...loop.smoke, ...tiny },
      quick: { ...fast, ...loop.quick },
    },
  };
}

/** Episodes that rules are measured in. */
const referenceEpisodes = 1000;

/** Random play, and the policy written by hand where there is one. */
function levels(task: Task): Reference[] {
  // biome-ignore lint/suspicious/noExplicitAny: the definition checks its own settings.
  const definition: EnvDefinition<any> = environments[tasks[task]];
  const { config, factory } = configureEnv(definition);
  const rng = createRng("levels").split(task);
  const policies: ReferencePolicies = {
    random: () => uniformActions(factory().spec),
    ...definition.policies?.(config),
  };
  return Object.entries(policies).map(([name, make]) => {
    const { mean } = averageReturn(factory, make(rng.split("policy")), referenceEpisodes, rng.split(name));
    return { label: `${name}, ${mean.toFixed(1)}`, value: mean, panel: task };
  });
}

/** Fewer steps where an update of AGP has the most nodes: 100 and 45 actions. */
const short = (quick: number) => ({ length: { smoke: 400, quick, paper: 2_000_000 } }) as const;

/** Better than every baseline. */
const aboveAll = (panel: Task, options: { readonly measure?: ReturnType<typeof trainingAverage> } = {}) =>
  all(...baselines.map((baseline) => betterThan("AGP", baseline, { panel, ...options })));

const figure4 = figure("agp/figure-4", {
  title: "Action-graph policies in particle environments",
  caption:
    "Return of an episode of 25 steps, greedy play; the team is everybody (protocol joint) and its reward the sum of all agents' own, " +
    "in Push, World-Comm, Crypto and Tag those of both sides. The paper does not say whose rewards it adds, so that levels compare within " +
    "a panel only. Solid: agents exchange observations before they act; dashed: they act alone. Rules: uniformly random actions, and a " +
    "policy by hand that is told what agents would have to tell each other; both measured in 1000 episodes. DICG: as a value method.",
  captions: {
    smoke: "A check of the plumbing: tiny networks, next to no training.",
    quick:
      "Preset mpe-fast: 128 transitions after every 8 steps, no memory; a fiftieth of the paper's steps or less. AGP-PG: preset mpe.",
    paper:
      "Preset mpe: 32 episodes after every episode; IQL and DCG with memory. AGP-PG: PPO on 80 episodes.",
  },
  runs: taskNames.flatMap((task) => methodNames.map((method) => trained(method, task))),
  metric: { name: "eval/return", label: "return", unit: "sum over agents and steps", better: "higher" },
  scales: {
    smoke: { seeds: 1, steps: 400 },
    quick: { seeds: 5, steps: 40_000 },
    paper: { seeds: 5, steps: 2_000_000 },
  },
  panels: { Reference: short(12_000), "World-Comm": short(16_000) },
  evaluateEvery: 5,
  evaluationEpisodes: 100,
  dashed: actingAlone,
  measureReferences: () => taskNames.flatMap(levels),
  claims: [
    ...taskNames.map((task) =>
      claim(`${task}: “AGP achieves the highest final test return across all six tasks”`, aboveAll(task)),
    ),
    ...(["Reference", "Push", "Speaker-Listener"] as const).map((task) =>
      claim(
        `${task}: “AGP rapidly outperforms all baselines and maintains a clear margin throughout training”: the higher mean of the curve`,
        aboveAll(task, { measure: trainingAverage() }),
      ),
    ),
    ...(["World-Comm", "Tag"] as const).map((task) =>
      claim(
        `${task}: “AGP [...] continues to improve steadily”: it ends above the mean of its own curve`,
        betterThanItsMean(task),
      ),
    ),
  ],
});

/** AGP's end against the mean height of its curve. */
function betterThanItsMean(panel: Task) {
  return { ...betterThan("AGP", "AGP", { panel }), secondMeasure: trainingAverage() };
}

/** "Action-graph policies", Section 5.2. */
export const agpMpe = [figure4] as const;
