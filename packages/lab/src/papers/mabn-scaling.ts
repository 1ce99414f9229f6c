import { type Algorithm, algorithms, type Learner } from "corral/algorithms";
import { configureEnv, environments, parseConfig } from "corral/envs";
import type { Rng } from "corral/random";
import type { Scale } from "./figure.ts";
import { type Method, trained } from "./mabn.ts";
import { type Check, type Row, type TableClaim, table } from "./table.ts";

/** The methods compared, and how many rows a hidden layer of their critics has for each transition. */
const methods = {
  "MAStAC sim.": (agents: number) => agents,
  "MAStAC approx.": (agents: number) => agents,
  MADDPG: (agents: number) => agents,
  "QDCG complete": (agents: number) => agents ** 2,
} as const satisfies Partial<Record<Method, (agents: number) => number>>;
type Compared = keyof typeof methods;
const names = Object.keys(methods) as Compared[];

/** What ends a method's curve. */
const limits = {
  /** An update takes longer. */
  milliseconds: 2000,
  /** More would be in all critics, or in one hidden layer of theirs. */
  numbers: 2 ** 25,
};

/** Milliseconds of updates, whatever an update takes. */
const leastTime = 1000;

const batch = 256;
const width = 64;

interface Effort {
  readonly agents: readonly number[];
  /** Iterations that are timed, at least, of so many updates each. */
  readonly rounds: number;
  readonly updates: number;
}

const efforts: Readonly<Record<Scale, Effort>> = {
  smoke: { agents: [10, 20], rounds: 3, updates: 2 },
  quick: { agents: [10, 20, 40, 100, 200], rounds: 5, updates: 4 },
  paper: { agents: [10, 20, 40, 100, 200, 400, 1000], rounds: 5, updates: 8 },
};

/** One method on a ring of so many warehouses. */
async function measure(
  method: Compared,
  agents: number,
  { rounds, updates }: Effort,
  now: () => number,
  rng: Rng,
): Promise<{ readonly milliseconds: number; readonly parameters: number }> {
  const { algorithm: name, config } = trained("ring", method);
  const algorithm = algorithms[name as keyof typeof algorithms] as Algorithm;
  const learner = await algorithm.create({
    env: configureEnv(environments.warehouse, { instance: "ring", agents }).factory,
    config: parseConfig(name, algorithm.config, { ...config, cycles: 1, updates, replayCapacity: 2 * batch }),
    totalSteps: Number.MAX_SAFE_INTEGER,
    rng,
  });
  try {
    const parameters = criticParameters(learner);
    const playing: number[] = [];
    const learning: number[] = [];
    // Episodes are played alone until a batch is there; the first updates warm up.
    while (learning.length <= rounds || total(learning) < leastTime) {
      const began = now();
      const { "train/updates": taken } = await learner.iterate();
      (taken > 0 ? learning : playing).push(now() - began);
    }
    const milliseconds = (Math.min(...learning.slice(1)) - Math.min(...playing.slice(1))) / updates;
    return { milliseconds: Math.max(milliseconds, 1e-3), parameters };
  } finally {
    await learner.dispose();
  }
}

const total = (times: readonly number[]): number => times.reduce((sum, time) => sum + time, 0);

/** All that is learned and does not act. */
function criticParameters(learner: Learner): number {
  return Object.entries(learner.parameters()).reduce(
    (total, [name, { data }]) => (name.startsWith("actor") ? total : total + data.length),
    0,
  );
}

/** Whether a method with these rows so far is too dear with so many agents. */
function ends(method: Compared, rows: readonly Row[], agents: number): boolean {
  const last = rows.filter((row) => row.method === method).at(-1);
  // Parameters grow with the square of the number of agents at most.
  const parameters = last === undefined ? 0 : Number(last.parameters) * (agents / Number(last.agents)) ** 2;
  const layer = methods[method](agents) * batch * width;
  return (
    Math.max(parameters, layer) > limits.numbers || Number(last?.milliseconds ?? 0) > limits.milliseconds
  );
}

/** From so many agents on, what does not grow with them no longer counts. */
const many = 40;

/** A method's rows from `many` agents on; where others are given, of the numbers of agents that all have. */
function largeRows(rows: readonly Row[], method: Compared, others: readonly Compared[] = []): Row[] {
  const has = (other: Compared, agents: Row["agents"]) =>
    rows.some((row) => row.method === other && row.agents === agents);
  return rows.filter(
    (row) =>
      row.method === method && Number(row.agents) >= many && others.every((other) => has(other, row.agents)),
  );
}

/** The power of the number of agents with which a quantity grows from the first to the last of a method's rows. */
function growth(rows: readonly Row[], quantity: "milliseconds" | "parameters"): number {
  const [first, last] = [rows[0], rows[rows.length - 1]];
  const ratio = (key: string) => Math.log(Number(last[key]) / Number(first[key]));
  return ratio(quantity) / ratio("agents");
}

function criticsGrow(rows: readonly Row[], method: Compared, holds: (power: number) => boolean): Check[] {
  const own = largeRows(rows, method);
  if (own.length < 2) return [];
  const power = growth(own, "parameters");
  return [
    {
      holds: holds(power),
      evidence: `${method}: parameters grow with the number of agents to the ${power.toFixed(2)}`,
    },
  ];
}

/** The time of one method's update grows by a lower power than another's, over the numbers of agents that both have. */
function growsSlower(rows: readonly Row[], first: Compared, second: Compared): Check[] {
  const [slow, fast] = [largeRows(rows, first, [second]), largeRows(rows, second, [first])];
  if (slow.length < 2) return [];
  const powers = [slow, fast].map((own) => growth(own, "milliseconds"));
  const evidence =
    `${many} to ${slow[slow.length - 1].agents} agents: milliseconds of ${first} to the ${powers[0].toFixed(2)}, ` +
    `of ${second} to the ${powers[1].toFixed(2)}`;
  return [{ holds: powers[0] < powers[1], evidence }];
}

const claims: readonly TableClaim[] = [
  {
    text: "MADDPG “does not scale to larger number of agents”: its critics grow with the square of their number",
    check: (rows) => criticsGrow(rows, "MADDPG", (power) => power > 1.5),
  },
  {
    text: "“scalability of the proposed algorithm” (abstract): approximated, critics grow in proportion to the agents",
    check: (rows) => criticsGrow(rows, "MAStAC approx.", (power) => power < 1.1),
  },
  {
    text: "the same of time: an update of MAStAC approx. grows by a lower power than one of MADDPG",
    check: (rows) => growsSlower(rows, "MAStAC approx.", "MADDPG"),
  },
  {
    text: "(not in the paper) exact sets of a ring, which are everybody, grow as MADDPG's critics do",
    check: (rows) => criticsGrow(rows, "MAStAC sim.", (power) => power > 1.5),
  },
];

const scaling = table("mabn/scaling", {
  title: "What an update costs, ring of warehouses",
  caption:
    "One update of all agents on 256 transitions, and the parameters of all critics. Time on one thread: shortest of several " +
    "iterations with updates less that without, so that playing does not count. Settings of the ring's figure. A curve ends " +
    `before critics, or one of their hidden layers for the batch, would have more than 2^25 = ${(limits.numbers / 1e6).toFixed(1)} ` +
    `million numbers, or where an update takes more than ${limits.milliseconds / 1000} s.`,
  columns: [
    { key: "method", label: "method" },
    { key: "agents", label: "agents", show: String },
    { key: "milliseconds", label: "milliseconds\nper update" },
    { key: "parameters", label: "parameters\nof all critics", show: (value) => value.toLocaleString("en") },
  ],
  efforts: {
    smoke: "10 and 20 agents",
    quick: "10 to 200 agents",
    paper: "10 to 1000 agents",
  },
  async rows(scale, rng, { now }) {
    const effort = efforts[scale];
    const rows: Row[] = [];
    const ended = new Set<Compared>();
    // Methods take turns, so that a busy minute of the machine is not that of one method.
    for (const agents of effort.agents) {
      for (const method of names) {
        if (ends(method, rows, agents)) ended.add(method);
        if (ended.has(method)) continue;
        const stream = rng.split(`${method}/${agents}`);
        rows.push({ method, agents, ...(await measure(method, agents, effort, () => now(), stream)) });
      }
    }
    return names.flatMap((method) => rows.filter((row) => row.method === method));
  },
  drawing: (rows) => ({
    columns: 2,
    panels: [
      { label: "update of all agents", unit: "ms", key: "milliseconds" },
      { label: "parameters of all critics", unit: undefined, key: "parameters" },
    ].map(({ label, unit, key }) => ({
      x: { label: "agents", logarithmic: true },
      y: { label, ...(unit === undefined ? {} : { unit }), logarithmic: true },
      dots: true,
      curves: names.map((name) => {
        const own = rows.filter(({ method }) => method === name);
        return {
          name,
          steps: own.map(({ agents }) => Number(agents)),
          centre: own.map((row) => Number(row[key])),
        };
      }),
    })),
  }),
  claims,
});

export const mabnScaling = [scaling] as const;
