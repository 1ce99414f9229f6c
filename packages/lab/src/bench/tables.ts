/** Benchmark rows as text for a terminal. */
import type { AgpTrainRow, AgpUpdateRow } from "./agp.ts";
import type { PeerResult } from "./comparison.ts";
import type { DagRow } from "./dag.ts";
import type { EngineRow } from "./engine.ts";
import type { EnvRow } from "./environments.ts";
import type { BenchHost } from "./host.ts";
import type { MastacRow } from "./mastac.ts";
import type { StructureRow } from "./structure.ts";
import type { TabularRow } from "./tabular.ts";
import type { TrainRow, UpdateRow } from "./train.ts";

/** For example `Intel Xeon, 2 cores, Node 20.20.2, onnxruntime-node 1.30.0, PyTorch 1.13.0 (openblas), one thread each`. */
export function describeHost({ cpu, cores, node, runtime, pytorch, numpy }: BenchHost): string {
  const peer = [
    ...(pytorch === undefined ? [] : [`PyTorch ${pytorch.version} (${pytorch.blas})`]),
    ...(numpy === undefined ? [] : [`NumPy ${numpy.version} (${numpy.blas})`]),
  ];
  return [cpu, `${cores} cores`, `Node ${node}`, runtime, ...peer, "one thread each"].join(", ");
}

/** Times of the engine's workloads. */
export function engineTable(rows: readonly EngineRow[]): string {
  const withPeer = rows.some(({ pytorch }) => pytorch !== undefined);
  return align([
    ["workload", "batch", "nodes", "corral ms", ...(withPeer ? peerHeadings("PyTorch") : [])],
    ...rows.map(({ workload, batch, nodes, milliseconds, pytorch }) => [
      workload,
      String(batch),
      String(nodes),
      time(milliseconds),
      ...peerCells(pytorch),
    ]),
  ]);
}

/** What learning the DAG adds to training. */
export function dagTable(rows: readonly DagRow[]): string {
  return align([
    [
      "learned DAG",
      "N",
      "step ms",
      "full",
      "ratio",
      "update ms",
      "full",
      "ratio",
      "both",
      "steps/s",
      "official",
      "ratio",
    ],
    ...rows.map(({ env, agents, full, learned, ratios, stepsPerSecond, official }) => [
      env,
      String(agents),
      time(learned.step),
      time(full.step),
      `${ratios.step.toFixed(2)}x`,
      time(learned.update),
      time(full.update),
      `${ratios.update.toFixed(2)}x`,
      `${ratios.both.toFixed(2)}x`,
      whole(stepsPerSecond),
      official === undefined ? "" : String(official.stepsPerSecond),
      official === undefined ? "" : `${official.ratio.toFixed(0)}x`,
    ]),
  ]);
}

/** Gradient steps of action-graph policies, how they grow with the number of agents, and whole training. */
export function agpTable(rows: readonly (AgpUpdateRow | AgpTrainRow)[]): string {
  const updates = rows.filter((row) => row.kind === "update");
  const headings = updates.some(({ pytorch }) => pytorch !== undefined) ? peerHeadings("PyTorch") : [];
  const training = rows.filter((row) => row.kind === "train");
  return [
    align([
      ["gradient step", "agents", "neighbourhood", "batch", "corral ms", "updates/s", ...headings],
      ...updates.map(({ agents, neighbourhood, batch, milliseconds, pytorch }) => [
        "topk",
        String(agents),
        neighbourhood,
        String(batch),
        time(milliseconds),
        whole(1000 / milliseconds),
        ...peerCells(pytorch),
      ]),
    ]),
    align([
      ["training", "preset", "steps/s", "updates/s"],
      ...training.map(({ preset, stepsPerSecond, updatesPerSecond }) => [
        "topk",
        preset,
        whole(stepsPerSecond),
        whole(updatesPerSecond),
      ]),
    ]),
  ].join("\n\n");
}

/** Rounds of updates of MAStAC and MADDPG, compared where they were, then how they grow with the number of agents. */
export function mastacTable(rows: readonly MastacRow[]): string {
  const [{ agents: compared }] = rows;
  const first = rows.filter(({ agents }) => agents === compared);
  const growth = rows
    .filter(({ sets, replace }) => sets === "kappa 2" && replace === "all")
    .sort((a, b) => a.agents - b.agents);
  const withPeer = first.some(({ pytorch }) => pytorch !== undefined);
  return [
    align([
      [
        "round of updates",
        "N",
        "sets",
        "actions",
        "corral ms",
        ...(withPeer ? [...peerHeadings("PyTorch"), "against modules"] : []),
      ],
      ...first.map(({ algorithm, agents, sets, replace, milliseconds, pytorch }) => [
        algorithm,
        String(agents),
        sets,
        replace,
        time(milliseconds),
        ...peerCells(pytorch),
        ...(pytorch === undefined ? [] : [`${(pytorch.milliseconds.modules / milliseconds).toFixed(2)}x`]),
      ]),
    ]),
    align([
      ["growth", "N", "sets", "actions", "parameters", "corral ms", "ms for each agent"],
      ...growth.map(({ algorithm, agents, sets, replace, parameters, milliseconds }) => [
        algorithm,
        String(agents),
        sets,
        replace,
        String(parameters),
        time(milliseconds),
        time(milliseconds / agents),
      ]),
    ]),
  ].join("\n\n");
}

/** Speed of training, then whole updates where they were compared. */
export function trainTable(rows: readonly (TrainRow | UpdateRow)[]): string {
  const training = rows.filter((row) => row.kind === "train");
  const updates = rows.filter((row) => row.kind === "update");
  const tables = [
    align([
      [
        "environment",
        "dag",
        "steps/s",
        "early",
        "late",
        "official",
        "ratio",
        "iteration ms",
        "rollout",
        "(environment)",
        "update",
        "decisions",
      ],
      ...training.map((row) => [
        row.env,
        row.dag,
        whole(row.stepsPerSecond),
        whole(row.early),
        whole(row.late),
        row.official === undefined ? "" : whole(row.official.stepsPerSecond),
        row.official === undefined ? "" : `${whole(row.official.ratio)}x`,
        time(row.milliseconds.iteration),
        time(row.milliseconds.rollout),
        time(row.milliseconds.environment),
        time(row.milliseconds.update),
        `${whole(row.decisions.early)} to ${whole(row.decisions.late)} of ${whole(row.decisions.all)}`,
      ]),
    ]),
  ];
  if (updates.length > 0) {
    tables.push(
      align([
        ["environment", "dag", "corral update ms", ...peerHeadings("PyTorch")],
        ...updates.map(({ env, dag, milliseconds, pytorch }) => [
          env,
          dag,
          time(milliseconds),
          ...peerCells(pytorch),
        ]),
      ]),
    );
  }
  return tables.join("\n\n");
}

/** Exact gradient steps, whole ascents, and how the cost of a step grows with the number of agents. */
export function tabularTable(rows: readonly TabularRow[]): string {
  const steps = rows.filter((row) => row.kind === "step");
  const ascents = rows.filter((row) => row.kind === "ascent");
  const growth = rows.filter((row) => row.kind === "growth");
  const headings = steps.some(({ numpy }) => numpy !== undefined) ? peerHeadings("NumPy") : [];
  return [
    align([
      ["one gradient step, transition", "N", "starts", "corral ms", ...headings],
      ...steps.map(({ transition, agents, starts, milliseconds, numpy }) => [
        transition,
        String(agents),
        String(starts),
        time(milliseconds),
        ...peerCells(numpy),
      ]),
    ]),
    align([
      ["whole ascents", "N", "starts", "steps", "corral s", "suboptimality", ...headings],
      ...ascents.map(({ agents, starts, steps: taken, milliseconds, suboptimality, numpy }) => [
        "coordination game",
        String(agents),
        String(starts),
        String(taken),
        (milliseconds / 1000).toPrecision(3),
        suboptimality.toFixed(4),
        ...peerCells(numpy),
      ]),
    ]),
    align([
      ["one step, one start", "N", "states", "parameters", "corral ms", "times that of N - 1"],
      ...growth.map(({ agents, states, parameters, milliseconds }, k) => [
        "coordination game",
        String(agents),
        String(states),
        String(parameters),
        time(milliseconds),
        k === 0 ? "" : `${(milliseconds / growth[k - 1].milliseconds).toFixed(1)}x`,
      ]),
    ]),
    "In the long run the factorisation of I - gamma P decides, which takes 8 times as long for each further agent.",
  ].join("\n\n");
}

/** Speed of environments alone. */
export function envTable(rows: readonly EnvRow[]): string {
  return align([
    ["environment", "agents", "copies", "steps / CPU s", "MPE2 1.1.0 in Python, stated", "ratio"],
    ...rows.map(({ env, agents, copies, stepsPerSecond, reference }) => [
      env,
      String(agents),
      String(copies),
      whole(stepsPerSecond),
      reference === undefined ? "" : whole(reference.stepsPerSecond),
      reference === undefined ? "" : `${whole(reference.ratio)}x`,
    ]),
  ]);
}

/** Dependency sets of large teams. */
export function structureTable(rows: readonly StructureRow[]): string {
  return align([
    [
      "team",
      "agents",
      "edges",
      "sets",
      "graphs ms",
      "value ms",
      "gradient ms",
      "critic sum ms",
      "mean sizes",
      "memory MB",
    ],
    ...rows.map(({ team, agents, edges, kappa, milliseconds, size, megabytes }) => [
      team,
      String(agents),
      String(edges),
      kappa === undefined ? "exact" : `kappa ${kappa}`,
      time(milliseconds.graphs),
      time(milliseconds.value),
      time(milliseconds.gradient),
      time(milliseconds.criticSum),
      `${whole(size.value)}, ${whole(size.criticSum)}`,
      whole(megabytes),
    ]),
  ]);
}

const peerHeadings = (library: string): string[] => [`${library} ms`, "against", "ratio", "(rounds)"];

function peerCells(result: PeerResult | undefined): string[] {
  if (result === undefined) return [];
  const { milliseconds, fastest, ratio, lowest, highest } = result;
  const all = Object.entries(milliseconds).map(([variant, value]) => `${time(value)} ${variant}`);
  return [all.join(", "), fastest, `${ratio.toFixed(2)}x`, `${lowest.toFixed(2)}-${highest.toFixed(2)}`];
}

const whole = (value: number): string => Math.round(value).toString();
const time = (milliseconds: number): string => milliseconds.toPrecision(3);

/** Columns as wide as their widest cell. */
function align(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
