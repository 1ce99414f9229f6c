import pc from "picocolors";
import { openRun, readMetricsLines, runStatus } from "../../runs/index.ts";
import type { CommonOptions } from "../context.ts";
import { grouped, printJson, shellCommand } from "../output.ts";
import { curvesTable, lastMetrics, metricNames, runTitle } from "../run-view.ts";

/** `corral show`: what a run is, how far it came, and a curve of every metric. */
export async function show(directory: string, { json }: CommonOptions): Promise<void> {
  const run = openRun(directory);
  const status = runStatus(directory);
  const lines = readMetricsLines(directory);
  if (json) {
    const curves = Object.fromEntries(
      metricNames(lines).map((name) => {
        const found = lines.filter(({ metrics }) => Object.hasOwn(metrics, name));
        return [
          name,
          { steps: found.map(({ steps }) => steps), values: found.map(({ metrics }) => metrics[name]) },
        ];
      }),
    );
    return printJson({ ...run, status, metrics: lastMetrics(run), curves });
  }
  const { spec, host } = run;
  const colour = { finished: pc.green, running: pc.cyan, interrupted: pc.yellow, diverged: pc.red }[
    status.state
  ];
  const why = status.quantity === undefined ? "" : `: ${status.quantity} was not a finite number`;
  const facts: [string, string][] = [
    ["state", colour(status.state) + why],
    ["steps", `${grouped(status.steps)} of ${grouped(spec.steps)}, iteration ${grouped(status.iteration)}`],
    ["machine", [host.cpu, host.node, host.engine].filter((fact) => fact !== null).join(", ")],
    ["kept in", directory],
  ];
  console.log(`${pc.bold(runTitle(run))}\n`);
  console.log(facts.map(([name, value]) => `  ${pc.dim(name.padEnd(8))} ${value}`).join("\n"));
  console.log(lines.length === 0 ? "\n  no metrics yet" : `\n${curvesTable(lines, () => true)}`);
  if (status.state === "interrupted") console.log(`\n  go on with  ${shellCommand("resume", directory)}`);
}
