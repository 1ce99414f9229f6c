import { InputError } from "corral/errors";
import {
  type AgentGroups,
  type AgentSets,
  agentSet,
  type CouplingGraphs,
  couplingComponents,
  couplingKinds,
  criticSum,
  type DependencyMode,
  gradientDependency,
  setSizes,
  valueDependency,
  valueDependencyOverTime,
} from "corral/structure";
import pc from "picocolors";
import { renderDependencies, svgToPng } from "../../plot/index.ts";
import { writeFileAtomic } from "../../runs/index.ts";
import type { CommonOptions, Context } from "../context.ts";
import { findCouplings } from "../find-couplings.ts";
import { brief, grouped, printJson, table } from "../output.ts";

interface StructureOptions extends CommonOptions {
  readonly horizon?: number;
  readonly kappa?: number;
  readonly mode: string;
  readonly draw?: string;
}

/** The dependency sets that belong together. */
interface Dependencies {
  readonly value: AgentSets;
  readonly gradient: AgentSets;
  readonly sum: AgentSets;
}

/** More agents than this are summed up. */
const MOST_LISTED = 60;
/** Most agents in all sets that are written as JSON: about 150 MB. */
const MOST_WRITTEN = 10_000_000;

/** `corral structure`. */
export async function structure(
  context: Context,
  nameOrPath: string,
  words: readonly string[],
  options: StructureOptions,
): Promise<void> {
  const { draw, horizon, kappa, mode } = options;
  const ending = draw === undefined ? undefined : /\.(svg|png)$/i.exec(draw)?.[1].toLowerCase();
  if (draw !== undefined && ending === undefined) {
    throw new InputError(`--draw ${draw}: expected a name that ends in .svg or .png`);
  }
  const { title, couplings } = await findCouplings(nameOrPath, words, context);
  const overTime = !("agents" in couplings);
  if (overTime && kappa !== undefined) {
    throw new InputError(
      "--kappa: couplings that change from step to step have no kappa-approximation, expected --horizon",
    );
  }
  if (overTime && draw !== undefined) {
    throw new InputError(
      "--draw: couplings that change from step to step have no folded network, expected couplings that do not",
    );
  }
  const values = overTime
    ? valueDependencyOverTime(couplings, { horizon, mode: mode as "paper" | "strict" })
    : [valueDependency(couplings, { horizon, kappa, mode: mode as DependencyMode })];
  const found = values.map((value) => ({
    value,
    gradient: gradientDependency(value),
    sum: criticSum(value),
  }));
  const ends = describeEnd(options, overTime ? values.length - 1 : undefined);

  if (draw !== undefined && !overTime) {
    const [{ value, gradient, sum }] = found;
    const svg = renderDependencies({
      title: `${title}: who matters to whose value, ${ends}`,
      graphs: couplings,
      value,
      gradient,
      criticSum: sum,
    });
    writeFileAtomic(draw, ending === "png" ? svgToPng(svg) : svg);
  }
  if (options.json) return printJson(asJson(found, overTime, options));
  const first = overTime ? couplings[0] : couplings;
  console.log(`${pc.bold(title)}: ${describeCouplings(first, overTime ? couplings.length : undefined)}`);
  console.log(`value dependency, ${ends}${overTime ? "; the sets at step 0" : ""}\n`);
  console.log(first.agents <= MOST_LISTED ? listed(found[0]) : summedUp(found[0]));
  if (!overTime) console.log(`\n  components  ${describeComponents(couplingComponents(couplings))}`);
  else console.log(`\n${sizesOverTime(found)}`);
  if (draw !== undefined) console.log(`\n  figure  ${draw}`);
}

/** How the sets end, in words. */
function describeEnd({ horizon, kappa, mode }: StructureOptions, last: number | undefined): string {
  const ends =
    last !== undefined
      ? [`up to step ${last}`]
      : [
          ...(horizon === undefined ? [] : [`horizon ${horizon}`]),
          ...(kappa === undefined ? [] : [`kappa ${kappa}`]),
        ];
  // Without an end all modes agree.
  return ends.length === 0 ? "without an end" : `${ends.join(", ")}, mode ${mode}`;
}

function describeCouplings(graphs: CouplingGraphs, steps: number | undefined): string {
  const edges = couplingKinds.map((kind) => `${grouped(graphs[kind].ids.length - graphs.agents)} ${kind}`);
  const agents = `${grouped(graphs.agents)} ${graphs.agents === 1 ? "agent" : "agents"}`;
  if (steps !== undefined)
    return `${agents}, couplings of ${grouped(steps)} ${steps === 1 ? "step" : "steps"}`;
  return `${agents}; edges: ${edges.join(", ")}`;
}

function asJson(found: readonly Dependencies[], overTime: boolean, options: StructureOptions): object {
  const size = found.reduce(
    (total, sets) =>
      Object.values(sets).reduce((sum: number, each: AgentSets) => sum + totalSize(each), total),
    0,
  );
  if (size > MOST_WRITTEN) {
    throw new InputError(
      `--json: the sets have ${grouped(size)} members in all, expected at most ${grouped(MOST_WRITTEN)}; without --json they are summed up`,
    );
  }
  const written = (sets: AgentSets) => Array.from({ length: sets.agents }, (_, i) => [...agentSet(sets, i)]);
  const all = (key: keyof Dependencies) => {
    const lists = found.map((sets) => written(sets[key]));
    return overTime ? lists : lists[0];
  };
  const { horizon = null, kappa = null, mode } = options;
  return {
    agents: found[0].value.agents,
    horizon: overTime ? found.length - 1 : horizon,
    kappa,
    mode,
    valueDependency: all("value"),
    gradientDependency: all("gradient"),
    criticSum: all("sum"),
  };
}

function listed({ value, gradient, sum }: Dependencies): string {
  return table(
    ["agent", "its value depends on", "its action matters to the values of", "their sum depends on"],
    Array.from({ length: value.agents }, (_, i) => [
      String(i),
      ...[value, gradient, sum].map((sets) => {
        const set = agentSet(sets, i);
        return `${ranges(set)}${pc.dim(` (${set.length})`)}`;
      }),
    ]),
    [0],
  );
}

function summedUp({ value, gradient, sum }: Dependencies): string {
  const row = (name: string, sets: AgentSets): string[] => {
    const sizes = setSizes(sets).sort();
    const quantile = (share: number) => grouped(sizes[Math.round(share * (sizes.length - 1))]);
    return [
      name,
      quantile(0),
      quantile(0.25),
      quantile(0.5),
      quantile(0.75),
      quantile(1),
      brief(totalSize(sets) / sizes.length),
    ];
  };
  return table(
    ["size of the sets", "least", "quarter", "half", "three quarters", "most", "mean"],
    [
      row("agents that a value depends on", value),
      row("values that an action matters to", gradient),
      row("agents that their sum depends on", sum),
    ],
    [1, 2, 3, 4, 5, 6],
  );
}

function sizesOverTime(found: readonly Dependencies[]): string {
  const mean = (sets: AgentSets) => brief(totalSize(sets) / sets.agents);
  return table(
    ["step", "mean size of value dependency", "of critic sum"],
    found.map(({ value, sum }, t) => [String(t), mean(value), mean(sum)]),
    [0, 1, 2],
  );
}

/** How many parts the team falls into, with the agents of each where that can be read. */
function describeComponents({ starts, ids }: AgentGroups): string {
  const components = Array.from({ length: starts.length - 1 }, (_, k) =>
    ids.subarray(starts[k], starts[k + 1]),
  );
  if (ids.length <= MOST_LISTED) {
    return components
      .sort((a, b) => a[0] - b[0])
      .map((component) => ranges(component))
      .join(" | ");
  }
  const sizes = components.map(({ length }) => length).sort((a, b) => b - a);
  const largest = sizes.slice(0, 3).map(grouped).join(", ");
  return components.length === 1
    ? `one, of all ${grouped(ids.length)} agents`
    : `${grouped(components.length)}, the largest of ${largest} agents`;
}

function totalSize(sets: AgentSets): number {
  return setSizes(sets).reduce((total, size) => total + size, 0);
}

/** Ids in increasing order as `0-3, 7`, and `1, 3, ..., 39` where they are equally far apart. */
function ranges(ids: ArrayLike<number>): string {
  const parts: string[] = [];
  for (let first = 0; first < ids.length; ) {
    const apart = ids[first + 1] - ids[first];
    let last = first;
    while (ids[last + 1] - ids[last] === apart) last++;
    const count = last - first + 1;
    if (apart === 1 && count >= 3) parts.push(`${ids[first]}-${ids[last]}`);
    else if (count >= 5) parts.push(`${ids[first]}, ${ids[first + 1]}, ..., ${ids[last]}`);
    else {
      parts.push(String(ids[first]));
      last = first;
    }
    first = last + 1;
  }
  return parts.join(", ");
}
