import type { Learner } from "corral/algorithms";
import { environments } from "corral/envs";
import { loadEngine } from "corral/tensor";
import { compare, type PeerResult } from "./comparison.ts";
import { randomPlay } from "./environments.ts";
import { type BenchHost, benchHost } from "./host.ts";
import { type Peer, type PeerOptions, startPeer } from "./peer.ts";
import { type Clock, median } from "./stopwatch.ts";
import { ENVIRONMENTS, type TimedIteration, timedLearner } from "./timed-learner.ts";

/** Training from end to end: rollouts and updates, no evaluation. */
export interface TrainRow {
  readonly kind: "train";
  readonly env: BenchEnv;
  readonly dag: string;
  readonly iterations: number;
  /** Environment steps per second, summed over the copies: over all timed iterations, the first and the last sixth. */
  readonly stepsPerSecond: number;
  readonly early: number;
  readonly late: number;
  /** Mean milliseconds of an iteration and of its parts. */
  readonly milliseconds: {
    readonly iteration: number;
    readonly rollout: number;
    /** The rollout's environment steps, timed alone. */
    readonly environment: number;
    readonly update: number;
  };
  /** Different decisions among the samples of an update in the first and the last sixth, and all of them. */
  readonly decisions: { readonly early: number; readonly late: number; readonly all: number };
  /** Published code of the same algorithm, where its speed is known. */
  readonly official?: { readonly stepsPerSecond: number; readonly ratio: number };
}

/** One whole update: from a finished rollout to the new parameters. */
export interface UpdateRow {
  readonly kind: "update";
  readonly env: BenchEnv;
  readonly dag: string;
  /** Median milliseconds. */
  readonly milliseconds: number;
  readonly pytorch: PeerResult;
}

export type BenchEnv = keyof typeof CASES;

/** Environments with their agents fixed, and the DAG sources whose speed is of interest. */
const CASES = {
  "coordination-game": { settings: { agents: 5 }, dags: ["full", "product", "heuristic(4)"] },
  aloha: { settings: {}, dags: ["full", "product", "heuristic(10)"] },
} as const;

/** DAG sources that the peer knows. */
const COMPARED = ["full", "product"];

/**
 * Environment steps per second of the code published with Context-aware Bayesian networks (rollout and update),
 * measured on one thread.
 */
const OFFICIAL: Readonly<Record<BenchEnv, Readonly<Record<string, number>>>> = {
  "coordination-game": { full: 324, product: 325 },
  aloha: { full: 112, product: 137 },
};

export interface TrainEffort {
  /** Iterations before the clock starts, and iterations on it. */
  readonly warmup: number;
  readonly iterations: number;
  /** Turns that corral and a peer take with whole updates, and updates in a turn. */
  readonly rounds: number;
  readonly updates: number;
}

const EFFORT: TrainEffort = { warmup: 5, iterations: 60, rounds: 5, updates: 10 };

export interface BenchTrainOptions {
  readonly now: Clock;
  /** Also compares whole updates, turn by turn in the same call. */
  readonly against?: "pytorch";
  /** Told of each row as soon as it is measured. */
  readonly onRow?: (row: TrainRow | UpdateRow) => void;
  readonly effort?: TrainEffort;
  readonly peer?: PeerOptions;
}

/**
 * Times BN-MAPPO with its default settings, 32 environments and 5 epochs, in one process: the first iterations of
 * training after a short warm-up. Training gets faster as the policy becomes surer, because the distinct decisions
 * that networks are evaluated for become fewer; the rows tell both.
 *
 * @throws InputError when the peer asked for cannot be compared with
 */
export async function benchTrain({
  now,
  against,
  onRow,
  effort = EFFORT,
  peer: peerOptions,
}: BenchTrainOptions): Promise<{
  readonly host: BenchHost;
  readonly rows: readonly (TrainRow | UpdateRow)[];
}> {
  const peer = against === undefined ? undefined : await startPeer("bn_mappo.py", peerOptions);
  try {
    const rows: (TrainRow | UpdateRow)[] = [];
    const report = (row: TrainRow | UpdateRow): void => {
      rows.push(row);
      onRow?.(row);
    };
    for (const env of Object.keys(CASES) as BenchEnv[]) {
      for (const dag of CASES[env].dags) {
        report(await measureTraining(env, dag, now, effort));
        if (peer !== undefined && COMPARED.includes(dag)) {
          report(await compareUpdates(env, dag, peer, now, effort));
        }
      }
    }
    return { host: benchHost(await loadEngine(), peer), rows };
  } finally {
    await peer?.close();
  }
}

async function measureTraining(
  env: BenchEnv,
  dag: string,
  now: Clock,
  effort: TrainEffort,
): Promise<TrainRow> {
  const { learner, iterate, agents } = await timedLearner(env, CASES[env].settings, dag, now);
  for (let k = 0; k < effort.warmup; k++) await iterate();
  const iterations: TimedIteration[] = [];
  for (let k = 0; k < effort.iterations; k++) iterations.push(await iterate());
  const steps = learner.stepsPerIteration;
  await learner.dispose();

  const average = (of: readonly TimedIteration[], part: keyof TimedIteration): number =>
    of.reduce((total, iteration) => total + iteration[part], 0) / of.length;
  const speed = (of: readonly TimedIteration[]): number =>
    (1000 * steps) / (average(of, "rollout") + average(of, "update"));
  const sixth = Math.max(1, Math.floor(iterations.length / 6));
  const [early, late] = [iterations.slice(0, sixth), iterations.slice(-sixth)];
  const stepsPerSecond = speed(iterations);
  const official = OFFICIAL[env][dag];
  return {
    kind: "train",
    env,
    dag,
    iterations: iterations.length,
    stepsPerSecond,
    early: speed(early),
    late: speed(late),
    milliseconds: {
      iteration: average(iterations, "rollout") + average(iterations, "update"),
      rollout: average(iterations, "rollout"),
      environment: environmentAlone(env, steps, now),
      update: average(iterations, "update"),
    },
    decisions: {
      early: average(early, "decisions"),
      late: average(late, "decisions"),
      all: steps * agents,
    },
    ...(official === undefined
      ? {}
      : { official: { stepsPerSecond: official, ratio: stepsPerSecond / official } }),
  };
}

/** Milliseconds of the environment steps of one rollout under random actions: median of 15 after 5 to warm up. */
function environmentAlone(env: BenchEnv, steps: number, now: Clock): number {
  const { step } = randomPlay(environments[env], CASES[env].settings, ENVIRONMENTS);
  const times = Array.from({ length: 20 }, () => {
    const start = now();
    for (let t = 0; t < steps / ENVIRONMENTS; t++) step();
    return now() - start;
  });
  return median(times.slice(5));
}

/**
 * Compares whole updates early in training, where distinct decisions are most: on the rollout of a policy that has
 * had one update here, none in the peer. Every update starts from the same state, here and in the peer.
 */
async function compareUpdates(
  env: BenchEnv,
  dag: string,
  peer: Peer,
  now: Clock,
  { warmup, rounds, updates }: TrainEffort,
): Promise<UpdateRow> {
  const { learner, iterate } = await timedLearner(env, CASES[env].settings, dag, now);
  await iterate();
  const times = repeatedUpdates(learner, iterate);
  for (let k = 0; k < warmup; k++) await times.next();
  const own: number[] = [];
  const variants: Record<string, number[]> = { "all rows": [], "distinct rows": [] };
  for (let round = 0; round < rounds; round++) {
    const turn: number[] = [];
    for (let k = 0; k < updates; k++) turn.push(await times.next());
    own.push(median(turn));
    const request = { workload: "bn-mappo-update", env, dag, repeats: updates, warmup: 2 };
    variants["all rows"].push(await peer.time(request));
    variants["distinct rows"].push(await peer.time({ ...request, distinct: true }));
  }
  await learner.dispose();
  return { kind: "update", env, dag, milliseconds: median(own), pytorch: compare(own, variants) };
}

/** Milliseconds of the update that a learner's next iteration does, again and again from the same state. */
function repeatedUpdates(learner: Learner, iterate: () => Promise<TimedIteration>) {
  const start = learner.snapshot();
  return {
    async next(): Promise<number> {
      learner.restore(start);
      return (await iterate()).update;
    },
  };
}
