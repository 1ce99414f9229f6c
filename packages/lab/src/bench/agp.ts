import { agp, type Learner } from "corral/algorithms";
import { configureEnv, environments, parseConfig } from "corral/envs";
import { actionGraphNetwork } from "corral/models";
import { createRng, type Rng } from "corral/random";
import type { Neighbourhood } from "corral/structure";
import {
  adam,
  compile,
  type Engine,
  layoutOf,
  loadEngine,
  mean,
  mul,
  oneHot,
  square,
  sub,
  sum,
  unpack,
} from "corral/tensor";
import { compare, type PeerResult } from "./comparison.ts";
import { type BenchHost, benchHost } from "./host.ts";
import { type Peer, type PeerOptions, startPeer } from "./peer.ts";
import { type Clock, type Effort, median, millisecondsPerCall, repeatsFor } from "./stopwatch.ts";
import { descend, learnt, type Workload } from "./workloads.ts";

/** Whole gradient steps of value-based AGP on one-step episodes. */
export interface AgpUpdateRow {
  readonly kind: "update";
  readonly agents: number;
  readonly neighbourhood: Neighbourhood;
  readonly batch: number;
  /** Milliseconds of a step: median over the rounds. */
  readonly milliseconds: number;
  readonly pytorch?: PeerResult;
}

/** Training on Top-K from end to end, without evaluation. */
export interface AgpTrainRow {
  readonly kind: "train";
  readonly preset: AgpPreset;
  readonly stepsPerSecond: number;
  readonly updatesPerSecond: number;
}

type AgpPreset = "fast" | "paper";

const ACTIONS = 2;
const GROWTH = { neighbourhoods: ["full", "sameAction", "sameAgent"], batch: 32 } as const;
const COMPARED = { agents: 6, neighbourhood: "full", batches: [32, 256] } as const;

/** Ways in which the peer does it: PyTorch as it is usually written and with all parameters in one vector; two attentions. */
const VARIANTS = Object.fromEntries(
  (["separate", "flat"] as const).flatMap((parameters) =>
    (["stacked", "blocks"] as const).map((attention) => [
      `${parameters} ${attention}`,
      { parameters, attention },
    ]),
  ),
);

export interface AgpEffort extends Effort {
  /** Numbers of agents over which the growth of a step's time is measured. */
  readonly agents: readonly number[];
  /** Iterations of training before the clock starts and on it, where the buffer holds enough for updates. */
  readonly warmup: number;
  readonly iterations: number;
}

const EFFORT: AgpEffort = { rounds: 7, turn: 200, agents: [6, 12, 24, 48], warmup: 10, iterations: 40 };

export interface BenchAgpOptions {
  readonly now: Clock;
  /** Runs the compared steps elsewhere, turn by turn in the same call. */
  readonly against?: "pytorch";
  /** Told of each row as soon as it is measured. */
  readonly onRow?: (row: AgpUpdateRow | AgpTrainRow) => void;
  readonly effort?: AgpEffort;
  readonly peer?: PeerOptions;
}

/**
 * Times gradient steps of action-graph policies on one thread: the default network (width 64, four heads, two layers, two
 * actions per agent) on batches of Top-K, how a step's time grows with the number of agents, and whole training.
 *
 * @throws InputError when the peer asked for cannot be compared with
 */
export async function benchAgp({
  now,
  against,
  onRow,
  effort = EFFORT,
  peer: peerOptions,
}: BenchAgpOptions): Promise<{
  readonly host: BenchHost;
  readonly rows: readonly (AgpUpdateRow | AgpTrainRow)[];
}> {
  const peer = against === undefined ? undefined : await startPeer("action_graph.py", peerOptions);
  try {
    const engine = await loadEngine();
    const rows: (AgpUpdateRow | AgpTrainRow)[] = [];
    const report = (row: AgpUpdateRow | AgpTrainRow): void => {
      rows.push(row);
      onRow?.(row);
    };
    for (const batch of COMPARED.batches)
      report(await measureUpdate(engine, { ...COMPARED, batch }, now, effort, peer));
    for (const neighbourhood of GROWTH.neighbourhoods) {
      for (const agents of effort.agents) {
        if (agents === COMPARED.agents && neighbourhood === COMPARED.neighbourhood) continue;
        report(await measureUpdate(engine, { agents, neighbourhood, batch: GROWTH.batch }, now, effort));
      }
    }
    for (const preset of ["fast", "paper"] as const) report(await measureTraining(preset, now, effort));
    return { host: benchHost(engine, peer), rows };
  } finally {
    await peer?.close();
  }
}

interface UpdateCase {
  readonly agents: number;
  readonly neighbourhood: Neighbourhood;
  readonly batch: number;
}

async function measureUpdate(
  engine: Engine,
  { agents, neighbourhood, batch }: UpdateCase,
  now: Clock,
  { rounds, turn }: AgpEffort,
  peer?: Peer,
): Promise<AgpUpdateRow> {
  const rng = createRng("bench").split("agp").split(`${agents} ${neighbourhood} ${batch}`);
  const workload = await agpUpdate(engine, { agents, neighbourhood, batch }, rng);
  const repeats = await repeatsFor(now, workload.run, turn);
  const own: number[] = [];
  const others: Record<string, number[]> = Object.fromEntries(
    Object.keys(VARIANTS).map((variant) => [variant, []]),
  );
  for (let round = 0; round < rounds; round++) {
    own.push(await millisecondsPerCall(now, workload.run, repeats));
    if (peer === undefined) continue;
    for (const [variant, fields] of Object.entries(VARIANTS)) {
      const request = {
        workload: "agp-update",
        batch,
        agents,
        repeats,
        warmup: Math.min(20, repeats),
        ...fields,
      };
      others[variant].push(await peer.time(request));
    }
  }
  await workload.dispose();
  return {
    kind: "update",
    agents,
    neighbourhood,
    batch,
    milliseconds: median(own),
    ...(peer === undefined ? {} : { pytorch: compare(own, others) }),
  };
}

/**
 * One regression of the summed Q-values of the taken actions to the rewards of one-step episodes, as AGP learns Top-K: the
 * real network, clip of the global gradient norm at 10, Adam.
 */
export async function agpUpdate(
  engine: Engine,
  { agents, neighbourhood, batch }: UpdateCase,
  rng: Rng,
): Promise<Workload> {
  const network = actionGraphNetwork("agent", {
    actionCounts: new Array<number>(agents).fill(ACTIONS),
    observationSize: 1,
    width: 64,
    heads: 4,
    layers: 2,
    graph: "actions",
    neighbourhood,
    residual: true,
    layerNorm: true,
    headInput: "pooled",
    agentId: false,
    recurrent: false,
  });
  const layout = layoutOf(network.parameters);
  const optimiser = adam({ learningRate: 1e-3 });
  const program = await compile(engine, {
    name: "agp update",
    inputs: {
      observations: { dtype: "float32", shape: [batch, agents, 1] },
      taken: { dtype: "int32", shape: [batch, agents] },
      rewards: { dtype: "float32", shape: [batch] },
    },
    variables: { parameters: learnt(layout, rng), ...optimiser.state("adam", "float32", layout.size) },
    build(leaves) {
      const views = unpack(leaves.parameters, layout);
      const { utilities } = network.step(views, leaves);
      const total = sum(mul(utilities, oneHot(leaves.taken, ACTIONS, "float32")), [1, 2]);
      const loss = mean(square(sub(total, leaves.rewards)));
      return { results: { loss }, updates: descend(loss, layout, views, optimiser, leaves) };
    },
    finite: ["loss"],
  });
  rng.fillUniform(program.inputs.observations);
  for (let k = 0; k < program.inputs.taken.length; k++) program.inputs.taken[k] = rng.integer(ACTIONS);
  rng.fillUniform(program.inputs.rewards);
  return { run: program.run, loss: program.results.loss, nodes: program.nodeCount, dispose: program.dispose };
}

async function measureTraining(
  preset: AgpPreset,
  now: Clock,
  { warmup, iterations }: AgpEffort,
): Promise<AgpTrainRow> {
  const { factory } = configureEnv(environments.topk as never, {});
  const config = parseConfig("agp", agp.config, agp.presets![preset].config);
  const rng = createRng("bench").split("agp").split(preset);
  const learner: Learner = await agp.create({ env: factory, config, rng, totalSteps: 1e6 });
  for (let k = 0; k < warmup; k++) await learner.iterate();
  let updates = 0;
  const start = now();
  for (let k = 0; k < iterations; k++) updates += (await learner.iterate())["train/updates"];
  const seconds = (now() - start) / 1000;
  await learner.dispose();
  return {
    kind: "train",
    preset,
    stepsPerSecond: (iterations * learner.stepsPerIteration) / seconds,
    updatesPerSecond: updates / seconds,
  };
}
