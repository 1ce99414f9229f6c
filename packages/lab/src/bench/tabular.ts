import type { FiniteGame } from "corral/envs";
import { createRng, type Rng } from "corral/random";
import { parseTopology } from "corral/structure";
import {
  type Ascent,
  type CooperativeMarkovGame,
  createAscent,
  denseGame,
  factoredCoordinationGame,
  gaussianTheta,
  practicalStepSize,
  randomGame,
  thetaLayout,
} from "corral/tabular";
import { loadEngine } from "corral/tensor";
import { compare, type PeerResult } from "./comparison.ts";
import { type BenchHost, benchHost } from "./host.ts";
import { type Peer, type PeerOptions, startPeer } from "./peer.ts";
import { type Clock, type Effort, median, millisecondsPerCall, repeatsFor } from "./stopwatch.ts";

/** One gradient step of all starts: values, gradients, updates. */
export interface TabularStepRow {
  readonly kind: "step";
  /** What is known of the transition, see `GAMES`. */
  readonly transition: keyof typeof GAMES;
  readonly agents: number;
  /** Starts that ascend side by side. */
  readonly starts: number;
  /** Of one step of all starts: median over the rounds. */
  readonly milliseconds: number;
  readonly numpy?: PeerResult;
}

/** A whole ascent: the starts and steps of a curve of Subteams' Figure 1. */
export interface TabularAscentRow {
  readonly kind: "ascent";
  readonly agents: number;
  readonly starts: number;
  readonly steps: number;
  /** Median over the rounds. */
  readonly milliseconds: number;
  /** Mean of `1 - V/V*` at the end, to see that the work was done. */
  readonly suboptimality: number;
  readonly numpy?: PeerResult;
}

/** How the cost of one step of one start grows with the number of agents. */
export interface TabularGrowthRow {
  readonly kind: "growth";
  readonly agents: number;
  readonly states: number;
  readonly parameters: number;
  readonly milliseconds: number;
}

export type TabularRow = TabularStepRow | TabularAscentRow | TabularGrowthRow;

/** Five agents with two actions and 32 states, with the transition that NumPy is compared on in each case. */
const GAMES = {
  /** Any table `P(s'|s,a)`. */
  "any table": { make: (agents: number, rng: Rng) => unstructured(agents, rng), peer: "dense" },
  /** The same next states in every state, but no product over agents. */
  "joint action alone": {
    make: (agents: number, rng: Rng) => sameInEveryState(unstructured(agents, rng)),
    peer: "joint-action",
  },
  /** The Coordination Game, whose transition corral finds to be a product over agents. */
  "coordination game": {
    make: (agents: number) => denseGame(factoredCoordinationGame({ agents, epsilon: 0.05 })),
    peer: "joint-action",
  },
} as const;

const AGENTS = 5;
const STARTS = [1, 50] as const;
const GROWTH = [2, 3, 4, 5, 6, 7, 8] as const;

export interface TabularEffort extends Effort {
  /** Of the ascents. */
  readonly steps: number;
}

const EFFORT: TabularEffort = { rounds: 5, turn: 300, steps: 2000 };

export interface BenchTabularOptions {
  readonly now: Clock;
  /** Runs the same work elsewhere, turn by turn in the same call. */
  readonly against?: "numpy";
  /** Told of each row as soon as it is measured. */
  readonly onRow?: (row: TabularRow) => void;
  readonly effort?: TabularEffort;
  readonly peer?: PeerOptions;
}

/**
 * Times exact gradient ascent of full DAGs on one thread.
 *
 * @throws InputError when the peer asked for cannot be compared with
 */
export async function benchTabular({
  now,
  against,
  onRow,
  effort = EFFORT,
  peer: peerOptions,
}: BenchTabularOptions): Promise<{ readonly host: BenchHost; readonly rows: readonly TabularRow[] }> {
  const peer = against === undefined ? undefined : await startPeer("tabular.py", peerOptions);
  try {
    const rows: TabularRow[] = [];
    const report = (row: TabularRow): void => {
      rows.push(row);
      onRow?.(row);
    };
    for (const transition of Object.keys(GAMES) as (keyof typeof GAMES)[]) {
      for (const starts of STARTS) report(await measureStep(transition, starts, peer, now, effort));
    }
    report(await measureAscent(peer, now, effort));
    for (const agents of GROWTH) report(await measureGrowth(agents, now, effort));
    return { host: benchHost(await loadEngine(), peer), rows };
  } finally {
    await peer?.close();
  }
}

/** An ascent of a full DAG from standard normal starts that never ends. */
function ascentOf(game: CooperativeMarkovGame, starts: number, rng: Rng) {
  const agents = game.actions.length;
  const dag = parseTopology("full", agents);
  const layout = thetaLayout(game, dag);
  return createAscent(
    game,
    dag,
    Array.from({ length: starts }, (_, k) => gaussianTheta(layout, rng.split(`start ${k}`))),
    { stepSize: practicalStepSize(agents), iterations: Number.MAX_SAFE_INTEGER, recordAt: [] },
  );
}

async function measureStep(
  transition: keyof typeof GAMES,
  starts: number,
  peer: Peer | undefined,
  now: Clock,
  { rounds, turn }: Effort,
): Promise<TabularStepRow> {
  const { make, peer: variant } = GAMES[transition];
  const rng = createRng("bench").split("tabular");
  const ascent = ascentOf(make(AGENTS, rng), starts, rng);
  const step = async (): Promise<void> => void ascent.advance(1);
  const repeats = await repeatsFor(now, step, turn);
  const own: number[] = [];
  const others: number[] = [];
  for (let round = 0; round < rounds; round++) {
    own.push(await millisecondsPerCall(now, step, repeats));
    if (peer === undefined) continue;
    const request = { agents: AGENTS, dag: "full", transition: variant, starts };
    const effort = { repeats, warmup: Math.min(20, repeats) };
    others.push(await peer.time({ workload: "exact-gradient", ...request, ...effort }));
  }
  return {
    kind: "step",
    transition,
    agents: AGENTS,
    starts,
    milliseconds: median(own),
    ...(peer === undefined ? {} : { numpy: compare(own, { [variant]: others }) }),
  };
}

async function measureAscent(
  peer: Peer | undefined,
  now: Clock,
  { rounds, steps }: TabularEffort,
): Promise<TabularAscentRow> {
  const starts = 50;
  const game = GAMES["coordination game"].make(AGENTS);
  const variant = GAMES["coordination game"].peer;
  const request = { agents: AGENTS, dag: "full", transition: variant, starts, steps };
  const own: number[] = [];
  const others: number[] = [];
  let suboptimality = Number.NaN;
  for (let round = 0; round < rounds; round++) {
    const begin = now();
    const ascent = ascentOf(game, starts, createRng("bench").split("ascent"));
    ascent.advance(steps);
    own.push(now() - begin);
    suboptimality = meanSuboptimality(ascent);
    if (peer !== undefined) others.push(await peer.time({ workload: "ascent", ...request }));
  }
  return {
    kind: "ascent",
    agents: AGENTS,
    starts,
    steps,
    milliseconds: median(own),
    suboptimality,
    ...(peer === undefined ? {} : { numpy: compare(own, { [variant]: others }) }),
  };
}

function meanSuboptimality({ policy, optimum, states }: Ascent): number {
  const losses = states().map(({ theta }) => 1 - policy.evaluate(Float64Array.from(theta)) / optimum);
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
}

async function measureGrowth(agents: number, now: Clock, { turn }: Effort): Promise<TabularGrowthRow> {
  const ascent = ascentOf(
    factoredCoordinationGame({ agents, epsilon: 0.05 }),
    1,
    createRng("bench").split(`growth ${agents}`),
  );
  const step = async (): Promise<void> => void ascent.advance(1);
  const repeats = await repeatsFor(now, step, turn);
  return {
    kind: "growth",
    agents,
    states: 2 ** agents,
    parameters: ascent.policy.layout.size,
    milliseconds: await millisecondsPerCall(now, step, repeats),
  };
}

/** A random game of the Coordination Game's size. */
const unstructured = (agents: number, rng: Rng): FiniteGame =>
  randomGame({ actions: new Array<number>(agents).fill(2), states: 2 ** agents, discount: 0.95 }, rng);

/** The game with the transition of its first state in every state. */
function sameInEveryState(game: FiniteGame): FiniteGame {
  const block = game.transition.length / game.states;
  const transition = game.transition.slice();
  for (let s = 1; s < game.states; s++) transition.copyWithin(s * block, 0, block);
  return { ...game, transition };
}
