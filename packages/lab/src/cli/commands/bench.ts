import { availableParallelism, cpus } from "node:os";
import { unknownName } from "corral/errors";
import pc from "picocolors";
import {
  benchEngine,
  benchEnvs,
  benchTrain,
  describeHost,
  engineTable,
  envTable,
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
  if (against !== undefined && against !== "pytorch") throw unknownName("peer", against, ["pytorch"]);
  const { host, rows, table } = await benchmarks[what as keyof typeof benchmarks](against);
  if (json) printJson({ host, rows });
  else console.log(`${pc.dim(typeof host === "string" ? host : describeHost(host))}\n\n${table}`);
}

const tell = (name: string): void => void process.stderr.write(pc.dim(`  ${name}: done\n`));

const benchmarks = {
  async engine(against?: "pytorch") {
    const onRow = ({ workload, batch }: { workload: string; batch: number }) =>
      tell(`${workload}, batch ${batch}`);
    const { host, rows } = await benchEngine({ now, onRow, ...(against && { against }) });
    return { host, rows, table: engineTable(rows) };
  },
  async train(against?: "pytorch") {
    const onRow = ({ kind, env, dag }: { kind: string; env: string; dag: string }) =>
      tell(`${kind}, ${env}, ${dag}`);
    const { host, rows } = await benchTrain({ now, onRow, ...(against && { against }) });
    return { host, rows, table: trainTable(rows) };
  },
  async envs() {
    const rows = benchEnvs({ now, onRow: ({ env, copies }) => tell(`${env}, ${copies} copies`) });
    const host = `${cpus()[0]?.model ?? "unknown"}, ${availableParallelism()} cores, Node ${process.versions.node}`;
    return { host, rows, table: envTable(rows) };
  },
};
