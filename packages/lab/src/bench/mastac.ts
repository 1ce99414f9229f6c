import { type MastacConfig, mastac, mastacTeam, mastacUpdate } from "corral/algorithms";
import { configureEnv, environments, parseConfig, vectorise } from "corral/envs";
import { createSegments, segmentShape } from "corral/learn";
import { createRng } from "corral/random";
import { loadEngine } from "corral/tensor";
import { compare, type PeerResult } from "./comparison.ts";
import { type BenchHost, benchHost } from "./host.ts";
import { type Peer, type PeerOptions, startPeer } from "./peer.ts";
import { type Clock, type Effort, median, millisecondsPerCall, repeatsFor } from "./stopwatch.ts";

/** One round of updates of all agents of the temperature problem: actors, critics and targets, 256 transitions. */
export interface MastacRow {
  readonly agents: number;
  readonly sets: keyof typeof SETS;
  /** Whose actions are new in an actor's objective, see `mastac`. */
  readonly replace: MastacConfig["replace"];
  /** Numbers in all parameters. */
  readonly parameters: number;
  /** Median over the rounds. */
  readonly milliseconds: number;
  readonly pytorch?: PeerResult;
}

/** Dependency sets of the next kappa = 2 steps, or of all time. */
const SETS = {
  "kappa 2": { settings: { dependency: "kappa", kappa: 2 }, kappa: 2 },
  exact: { settings: { dependency: "exact" }, kappa: 0 },
} as const;

const BATCH = 256;

/** How the peer is written: module by module, or by hand with products of all agents, or of all passes of a critic. */
const VARIANTS = { own: ["modules", "batched", "critic by critic"], all: ["modules", "batched"] } as const;

export interface MastacEffort extends Effort {
  /** Agents of the rounds that are compared. */
  readonly compared: number;
  /** Numbers of agents over which the growth of a round's time is measured. */
  readonly agents: readonly number[];
}

const EFFORT: MastacEffort = { rounds: 5, turn: 400, compared: 40, agents: [10, 20, 40, 80, 160, 320] };

export interface BenchMastacOptions {
  readonly now: Clock;
  /** Runs the compared rounds elsewhere, turn by turn in the same call. */
  readonly against?: "pytorch";
  /** Told of each row as soon as it is measured. */
  readonly onRow?: (row: MastacRow) => void;
  readonly effort?: MastacEffort;
  readonly peer?: PeerOptions;
}

/**
 * Times rounds of updates on one thread: 40 zones under both actor rules with both kinds of sets, and how a round's time
 * grows with the number of zones under the default rule with the approximated sets.
 *
 * @throws InputError when the peer asked for cannot be compared with
 */
export async function benchMastac({
  now,
  against,
  onRow,
  effort = EFFORT,
  peer: peerOptions,
}: BenchMastacOptions): Promise<{ readonly host: BenchHost; readonly rows: readonly MastacRow[] }> {
  const peer = against === undefined ? undefined : await startPeer("mastac.py", peerOptions);
  try {
    const rows: MastacRow[] = [];
    const report = (row: MastacRow): void => {
      rows.push(row);
      onRow?.(row);
    };
    for (const sets of ["kappa 2", "exact"] as const) {
      for (const replace of ["own", "all"] as const) {
        report(await measure({ agents: effort.compared, sets, replace }, now, effort, peer));
      }
    }
    for (const agents of effort.agents) {
      if (agents === effort.compared) continue;
      report(await measure({ agents, sets: "kappa 2", replace: "all" }, now, effort));
    }
    return { host: benchHost(await loadEngine(), peer), rows };
  } finally {
    await peer?.close();
  }
}

type RoundCase = Pick<MastacRow, "agents" | "sets" | "replace">;

async function measure(
  round: RoundCase,
  now: Clock,
  { rounds, turn }: Effort,
  peer?: Peer,
): Promise<MastacRow> {
  const { agents, sets, replace } = round;
  const { run, dispose, parameters } = await mastacRound(round);
  const repeats = await repeatsFor(now, run, turn);
  const own: number[] = [];
  const others: Record<string, number[]> = Object.fromEntries(VARIANTS[replace].map((name) => [name, []]));
  for (let k = 0; k < rounds; k++) {
    own.push(await millisecondsPerCall(now, run, repeats));
    if (peer === undefined) continue;
    for (const variant of VARIANTS[replace]) {
      const request = { agents, kappa: SETS[sets].kappa, batch: BATCH, replace, variant, repeats };
      others[variant].push(await peer.time({ workload: "mastac-round", warmup: 2, ...request }));
    }
  }
  await dispose();
  return {
    ...round,
    parameters,
    milliseconds: median(own),
    ...(peer === undefined ? {} : { pytorch: compare(own, others) }),
  };
}

/** The program that a run of the preset for zones takes its steps with, on drawn transitions. */
async function mastacRound({ agents, sets, replace }: RoundCase) {
  const rng = createRng("bench").split("mastac").split(`${agents} ${sets} ${replace}`);
  const { factory } = configureEnv(environments.temperature, { agents });
  const preset = mastac.presets!.temperature.config;
  const config = parseConfig("mastac", mastac.config, { ...preset, ...SETS[sets].settings, replace });
  const batch = vectorise(factory, 1, rng.split("environment"));
  const segments = createSegments(segmentShape(batch, "transition"), BATCH);
  for (const values of [segments.observations, segments.states, segments.individualRewards!]) {
    rng.fillNormal(values);
  }
  rng.fillUniform(segments.controls!);
  segments.mask.fill(1);
  const team = mastacTeam(batch.spec, factory().couplings!(), config, rng);
  const program = await mastacUpdate(await loadEngine(), team, segments, config);
  const parameters = team.turns
    .flatMap(({ actor, critic }) => [actor, critic])
    .reduce((total, { layout }) => total + layout.size, 0);
  return { run: program.run, dispose: program.dispose, parameters };
}
