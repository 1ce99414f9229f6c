import { type MastacConfig, maddpg, maddpgParts, mastac, mastacTeam, mastacUpdate } from "corral/algorithms";
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
  readonly algorithm: "mastac" | "maddpg";
  readonly agents: number;
  /** Whose states and actions a critic is told: those in dependency sets, or in MADDPG everybody's. */
  readonly sets: keyof typeof SETS | "everybody";
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
const variantsOf = ({ algorithm, replace }: RoundCase): readonly string[] =>
  algorithm === "mastac" && replace === "own"
    ? ["modules", "batched", "critic by critic"]
    : ["modules", "batched"];

export interface MastacEffort extends Effort {
  /** Agents of the rounds that are compared. */
  readonly compared: number;
  /** Numbers of agents over which the growth of a round's time is measured. */
  readonly agents: readonly number[];
}

const EFFORT: MastacEffort = {
  rounds: 5,
  turn: 400,
  compared: 40,
  agents: [10, 20, 40, 80, 160, 320, 640, 1000],
};

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
 * Times rounds of updates on one thread: 40 zones under both actor rules with both kinds of sets and with MADDPG, and how a
 * round's time grows with the number of zones under the default rule with the approximated sets.
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
        report(
          await measure({ algorithm: "mastac", agents: effort.compared, sets, replace }, now, effort, peer),
        );
      }
    }
    const central = {
      algorithm: "maddpg",
      agents: effort.compared,
      sets: "everybody",
      replace: "own",
    } as const;
    report(await measure(central, now, effort, peer));
    for (const agents of effort.agents) {
      if (agents === effort.compared) continue;
      report(await measure({ algorithm: "mastac", agents, sets: "kappa 2", replace: "all" }, now, effort));
    }
    return { host: benchHost(await loadEngine(), peer), rows };
  } finally {
    await peer?.close();
  }
}

type RoundCase = Pick<MastacRow, "algorithm" | "agents" | "sets" | "replace">;

async function measure(
  round: RoundCase,
  now: Clock,
  { rounds, turn }: Effort,
  peer?: Peer,
): Promise<MastacRow> {
  const { algorithm, agents, sets, replace } = round;
  const { run, dispose, parameters } = await compiled(round);
  const repeats = await repeatsFor(now, run, turn);
  const own: number[] = [];
  const others: Record<string, number[]> = Object.fromEntries(variantsOf(round).map((name) => [name, []]));
  for (let k = 0; k < rounds; k++) {
    own.push(await millisecondsPerCall(now, run, repeats));
    if (peer === undefined) continue;
    for (const variant of variantsOf(round)) {
      const rule: Record<string, string | number> =
        sets === "everybody" ? {} : { kappa: SETS[sets].kappa, replace };
      const request = { agents, batch: BATCH, variant, repeats, ...rule };
      others[variant].push(await peer.time({ workload: `${algorithm}-round`, warmup: 2, ...request }));
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

/** The program that a run takes its steps with, on drawn transitions. */
async function compiled({ agents, sets, replace }: RoundCase) {
  const rng = createRng("bench").split("mastac").split(`${agents} ${sets} ${replace}`);
  const { factory } = configureEnv(environments.temperature, { agents });
  const batch = vectorise(factory, 1, rng.split("environment"));
  const shape = segmentShape(batch, "transition");
  const segments = createSegments(shape, BATCH);
  for (const values of [segments.observations, segments.states, segments.individualRewards!]) {
    rng.fillNormal(values);
  }
  rng.fillUniform(segments.controls!);
  segments.mask.fill(1);
  const total = (layouts: readonly { readonly size: number }[]): number =>
    layouts.reduce((sum, { size }) => sum + size, 0);

  if (sets === "everybody") {
    const config = parseConfig("maddpg", maddpg.config, maddpg.presets!.paperTemperature.config);
    const { update, dispose, parameters } = await maddpgParts({ batch, segments, shape }, config, rng);
    const run = async () => void (await update({ rng, steps: 0, learningRate: config.criticLearningRate }));
    return { run, dispose, parameters: total(parameters.map(({ layout }) => layout)) };
  }
  const preset = mastac.presets!.temperature.config;
  const config = parseConfig("mastac", mastac.config, { ...preset, ...SETS[sets].settings, replace });
  const team = mastacTeam(batch.spec, factory().couplings!(), config, rng);
  const { run, dispose } = await mastacUpdate(await loadEngine(), team, segments, config);
  const parameters = total(team.turns.flatMap(({ actor, critic }) => [actor.layout, critic.layout]));
  return { run, dispose, parameters };
}
