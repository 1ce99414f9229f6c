import { loadEngine } from "corral/tensor";
import { type BenchHost, benchHost } from "./host.ts";
import { type Clock, median } from "./stopwatch.ts";
import { ENVIRONMENTS, type TimedIteration, type TimedLearner, timedLearner } from "./timed-learner.ts";

/** Training with learned DAGs beside training with the full DAG, iteration by iteration in turn. */
export interface DagRow {
  readonly env: "coordination-game" | "aloha";
  readonly agents: number;
  /** Milliseconds of one step of all copies while playing, and of one whole update: median of the faster half. */
  readonly full: DagTimes;
  readonly learned: DagTimes;
  /** Learned over full: a step, an update, and both together. */
  readonly ratios: DagTimes & { readonly both: number };
  /** Environment steps per second with learned DAGs, rollout and update. */
  readonly stepsPerSecond: number;
  /** Published code with learned DAGs, where its speed is known. */
  readonly official?: { readonly stepsPerSecond: number; readonly ratio: number };
}

interface DagTimes {
  readonly step: number;
  readonly update: number;
}

interface DagCase {
  readonly env: DagRow["env"];
  readonly settings: Readonly<Record<string, unknown>>;
  /** Steps per second of the code published with Context-aware BN, measured on one thread. */
  readonly official?: number;
}

const CASES: readonly DagCase[] = [
  { env: "coordination-game", settings: { agents: 5 }, official: 148 },
  { env: "aloha", settings: {}, official: 39.5 },
  { env: "coordination-game", settings: { agents: 10 } },
  { env: "coordination-game", settings: { agents: 30 } },
];

export interface DagEffort {
  /** Iterations before the clock starts, and iterations on it. */
  readonly warmup: number;
  readonly iterations: number;
}

const EFFORT: DagEffort = { warmup: 4, iterations: 20 };

export interface BenchDagOptions {
  readonly now: Clock;
  /** Told of each row as soon as it is measured. */
  readonly onRow?: (row: DagRow) => void;
  readonly effort?: DagEffort;
}

/** Times what learning the DAG adds to BN-MAPPO with its default settings, 32 environments and 5 epochs. */
export async function benchDag({ now, onRow, effort = EFFORT }: BenchDagOptions): Promise<{
  readonly host: BenchHost;
  readonly rows: readonly DagRow[];
}> {
  const rows: DagRow[] = [];
  for (const each of CASES) {
    const row = await measure(each, now, effort);
    rows.push(row);
    onRow?.(row);
  }
  return { host: benchHost(await loadEngine()), rows };
}

async function measure({ env, settings, official }: DagCase, now: Clock, effort: DagEffort): Promise<DagRow> {
  const full = await timedLearner(env, settings, "full", now);
  const learned = await timedLearner(env, settings, "learned", now);
  const times = { full: [] as TimedIteration[], learned: [] as TimedIteration[] };
  for (let k = 0; k < effort.warmup + effort.iterations; k++) {
    const turn = { full: await full.iterate(), learned: await learned.iterate() };
    if (k < effort.warmup) continue;
    times.full.push(turn.full);
    times.learned.push(turn.learned);
  }
  const [ofFull, ofLearned] = [typicalTimes(times.full, full), typicalTimes(times.learned, learned)];
  const steps = learned.learner.stepsPerIteration;
  await full.learner.dispose();
  await learned.learner.dispose();
  // From the parts, not from whole iterations: these are less often undisturbed.
  const both = ({ step, update }: DagTimes): number => (step * steps) / ENVIRONMENTS + update;
  const stepsPerSecond = (1000 * steps) / both(ofLearned);
  return {
    env,
    agents: learned.agents,
    full: ofFull,
    learned: ofLearned,
    ratios: {
      step: ofLearned.step / ofFull.step,
      update: ofLearned.update / ofFull.update,
      both: both(ofLearned) / both(ofFull),
    },
    stepsPerSecond,
    ...(official === undefined
      ? {}
      : { official: { stepsPerSecond: official, ratio: stepsPerSecond / official } }),
  };
}

/** The median of the faster half: other work on the machine only ever adds to a time. */
function typical(times: readonly number[]): number {
  const sorted = [...times].sort((a, b) => a - b);
  return median(sorted.slice(0, Math.ceil(sorted.length / 2)));
}

function typicalTimes(iterations: readonly TimedIteration[], { learner }: TimedLearner): DagTimes {
  const steps = learner.stepsPerIteration / ENVIRONMENTS;
  return {
    step: typical(iterations.map(({ rollout }) => rollout / steps)),
    update: typical(iterations.map(({ update }) => update)),
  };
}
