import { availableParallelism, cpus } from "node:os";
import { unknownName } from "corral/errors";
import pc from "picocolors";
import {
  type AgpTrainRow,
  type AgpUpdateRow,
  agpTable,
  benchAgp,
  benchDag,
  benchEngine,
  benchEnvs,
  benchMastac,
  benchStructure,
  benchTabular,
  benchTrain,
  type DagRow,
  dagTable,
  describeHost,
  engineTable,
  envTable,
  type MastacRow,
  mastacTable,
  type StructureRow,
  structureTable,
  type TabularRow,
  tabularTable,
  trainTable,
} from "../../bench/index.ts";
import type { CommonOptions } from "../context.ts";
import { printJson } from "../output.ts";

interface BenchRequest extends CommonOptions {
  readonly against?: string;
}

const now = (): number => performance.now();

/** `corral bench`: rows are told on stderr as they come, the tables at the end. Nothing else runs beside the clock. */
export async function bench(what: string, { against, json }: BenchRequest): Promise<void> {
  if (!Object.hasOwn(benchmarks, what)) throw unknownName("benchmark", what, Object.keys(benchmarks));
  const peer = what === "tabular" ? "numpy" : "pytorch";
  if (against !== undefined && against !== peer) throw unknownName("peer", against, [peer]);
  const { host, rows, table } = await benchmarks[what as keyof typeof benchmarks](against !== undefined);
  if (json) printJson({ host, rows });
  else console.log(`${pc.dim(typeof host === "string" ? host : describeHost(host))}\n\n${table}`);
}

const tell = (name: string): void => void process.stderr.write(pc.dim(`  ${name}: done\n`));

/** Where work is timed that needs no runtime of programs. */
const ownHost = (): string =>
  `${cpus()[0]?.model ?? "unknown"}, ${availableParallelism()} cores, Node ${process.versions.node}`;

const benchmarks = {
  async engine(compared: boolean) {
    const onRow = ({ workload, batch }: { workload: string; batch: number }) =>
      tell(`${workload}, batch ${batch}`);
    const { host, rows } = await benchEngine({ now, onRow, ...(compared && { against: "pytorch" }) });
    return { host, rows, table: engineTable(rows) };
  },
  async train(compared: boolean) {
    const onRow = ({ kind, env, dag }: { kind: string; env: string; dag: string }) =>
      tell(`${kind}, ${env}, ${dag}`);
    const { host, rows } = await benchTrain({ now, onRow, ...(compared && { against: "pytorch" }) });
    return { host, rows, table: trainTable(rows) };
  },
  async dag() {
    const { host, rows } = await benchDag({
      now,
      onRow: ({ env, agents }: DagRow) => tell(`${env}, ${agents} agents`),
    });
    return { host, rows, table: dagTable(rows) };
  },
  async agp(compared: boolean) {
    const onRow = (row: AgpUpdateRow | AgpTrainRow) =>
      tell(
        row.kind === "train"
          ? `train, ${row.preset}`
          : `update, ${row.agents} agents, ${row.neighbourhood}, batch ${row.batch}`,
      );
    const { host, rows } = await benchAgp({ now, onRow, ...(compared && { against: "pytorch" }) });
    return { host, rows, table: agpTable(rows) };
  },
  async mastac(compared: boolean) {
    const onRow = ({ algorithm, agents, sets, replace }: MastacRow) =>
      tell(`${algorithm}, ${agents} agents, ${sets}, ${replace} actions`);
    const { host, rows } = await benchMastac({ now, onRow, ...(compared && { against: "pytorch" }) });
    return { host, rows, table: mastacTable(rows) };
  },
  async tabular(compared: boolean) {
    const onRow = (row: TabularRow) =>
      tell(
        [row.kind, `${row.agents} agents`, ...("starts" in row ? [`${row.starts} starts`] : [])].join(", "),
      );
    const { host, rows } = await benchTabular({ now, onRow, ...(compared && { against: "numpy" }) });
    return { host, rows, table: tabularTable(rows) };
  },
  async envs() {
    const now = () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1000;
    };
    const rows = benchEnvs({ now, onRow: ({ env, copies }) => tell(`${env}, ${copies} copies`) });
    return { host: ownHost(), rows, table: envTable(rows) };
  },
  async structure() {
    const memory = () => {
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      return heapUsed + arrayBuffers;
    };
    const onRow = ({ team, kappa }: StructureRow) =>
      tell(`${team}, ${kappa === undefined ? "exact" : `kappa ${kappa}`}`);
    const rows = benchStructure({ now, memory, onRow });
    return { host: ownHost(), rows, table: structureTable(rows) };
  },
};
