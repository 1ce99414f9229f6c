import { type Algorithm, algorithms } from "corral/algorithms";
import { configureEnv, type EnvDefinition, environments } from "corral/envs";
import { unknownName } from "corral/errors";
import pc from "picocolors";
import {
  describeLengths,
  type FigureDefinition,
  figureRuns,
  figures,
  type Scale,
  scales,
  type TableDefinition,
  tables,
} from "../../papers/index.ts";
import type { CommonOptions } from "../context.ts";
import { heading, paragraph, printJson, shellCommand, table } from "../output.ts";
import { asTyped, describeSettings, type SettingDescription } from "../settings.ts";

/** One kind of thing that can be listed. */
interface Kind {
  readonly title: string;
  readonly singular: string;
  readonly names: readonly string[];
  /** Other names, each with the one it stands for. */
  readonly aliases?: Readonly<Record<string, string>>;
  describe(name: string): string;
  /** What `--json` says of one. */
  data(name: string): object;
  detail(name: string): string;
}

/** `corral list`: everything, one kind, or one thing in full. */
export async function list(kind: string | undefined, name: string | undefined, options: CommonOptions) {
  if (kind === undefined) {
    const all = Object.entries(kinds);
    if (options.json) return printJson(Object.fromEntries(all.map(([key, value]) => [key, dataOf(value)])));
    return console.log(all.map(([, value]) => overview(value)).join("\n\n"));
  }
  if (!Object.hasOwn(kinds, kind)) throw unknownName("list", kind, Object.keys(kinds));
  const chosen: Kind = kinds[kind as keyof typeof kinds];
  if (name === undefined) {
    return options.json ? printJson(dataOf(chosen)) : console.log(overview(chosen));
  }
  const { aliases = {} } = chosen;
  const known = Object.hasOwn(aliases, name) ? aliases[name] : name;
  if (!chosen.names.includes(known)) throw unknownName(chosen.singular, name, chosen.names);
  if (options.json) printJson(chosen.data(known));
  else console.log(chosen.detail(known));
}

const environment = (name: string) => environments[name as keyof typeof environments] as EnvDefinition;
const algorithm = (name: string): Algorithm<never> =>
  algorithms[name as keyof typeof algorithms] as Algorithm<never>;

const kinds = {
  envs: {
    title: "Environments",
    singular: "environment",
    names: Object.keys(environments),
    aliases: Object.fromEntries(
      Object.keys(environments).flatMap((name) =>
        (environment(name).aliases ?? []).map((alias) => [alias, name]),
      ),
    ),
    describe: (name) => environment(name).description,
    data: (name) => configurable(environment(name)),
    detail: (name) => settingsOf(environment(name), "env.") + policiesOf(environment(name)),
  },
  algorithms: {
    title: "Algorithms",
    singular: "algorithm",
    names: Object.keys(algorithms),
    describe: (name) => algorithm(name).description,
    data: (name) => {
      const { source, presets = {} } = algorithm(name);
      return { ...configurable(algorithm(name)), presets, source };
    },
    detail: (name) =>
      [
        settingsOf(algorithm(name), ""),
        presetsOf(algorithm(name)),
        pc.dim(`  after ${algorithm(name).source}`),
      ].join("\n\n"),
  },
  figures: {
    title: "Figures",
    singular: "figure",
    names: Object.keys(figures),
    describe: (name) => figures[name].title,
    data: (name) => describeFigure(figures[name]),
    detail: (name) => figureInFull(figures[name]),
  },
  tables: {
    title: "Tables",
    singular: "table",
    names: Object.keys(tables),
    describe: (name) => tables[name].title,
    data: (name) => describeTable(tables[name]),
    detail: (name) => tableInFull(tables[name]),
  },
} satisfies Record<string, Kind>;

const dataOf = (kind: Kind): object[] => kind.names.map((name) => kind.data(name));

function overview({ title, names, describe }: Kind): string {
  const width = Math.max(...names.map((name) => name.length));
  const lines = names.map((name) => {
    const text = paragraph(describe(name), width + 4).trimStart();
    return `  ${pc.cyan(name)}${" ".repeat(width - name.length + 2)}${text}`;
  });
  return `${heading(title)}\n${lines.join("\n")}`;
}

function configurable({ name, description, config }: Pick<EnvDefinition, "name" | "description" | "config">) {
  return { name, description, settings: describeSettings(config).map(asData) };
}

const asData = ({ fields, ...setting }: SettingDescription): object => ({
  ...setting,
  default: setting.default ?? null,
  ...(fields && { fields: fields.map(asData) }),
});

function settingsOf(
  { name, description, config }: Pick<EnvDefinition, "name" | "description" | "config">,
  prefix: string,
): string {
  const settings = settingLines(describeSettings(config), prefix, 2).join("\n");
  return `${heading(name)}\n${paragraph(description, 2)}\n\nSettings and their defaults\n\n${settings}`;
}

function settingLines(
  settings: readonly SettingDescription[],
  prefix: string,
  indentation: number,
): string[] {
  return settings.flatMap(({ key, default: value, values, description, fields = [] }) => {
    const first = value === undefined ? "" : `=${asTyped(value)}`;
    const what = description === undefined ? "" : `\n${pc.dim(paragraph(description, indentation + 4))}`;
    return [
      `${" ".repeat(indentation)}${pc.cyan(`${prefix}${key}`)}${first}  ${pc.dim(values)}${what}`,
      ...settingLines(fields, "", indentation + 4),
    ];
  });
}

function policiesOf(definition: EnvDefinition): string {
  const names = Object.keys(definition.policies?.(configureEnv(definition).config) ?? {});
  return names.length === 0 ? "" : `\n\n${pc.dim("  policies for corral render:")} ${names.join(", ")}`;
}

function presetsOf({ presets = {} }: Algorithm): string {
  const rows = Object.entries(presets).map(([name, { description, config }]) => {
    const settings = Object.entries(config).map(([key, value]) => `${key}=${asTyped(value)}`);
    return `  ${pc.cyan(`--preset ${name}`)}  ${settings.join(" ")}\n${paragraph(description, 4)}`;
  });
  return rows.join("\n");
}

const runCount = (figure: FigureDefinition, scale: Scale): string => String(figureRuns(figure, scale).length);

function describeFigure({ id, title, caption, metric, runs, scales, panels, claims }: FigureDefinition) {
  return {
    id,
    title,
    caption,
    metric: metric.name,
    runs,
    scales,
    ...(panels === undefined ? {} : { panels }),
    claims: claims.map(({ text }) => text),
  };
}

function figureInFull(figure: FigureDefinition): string {
  const rows = scales.map((scale) => {
    const { seeds } = figure.scales[scale];
    return [pc.cyan(scale), runCount(figure, scale), String(seeds), describeLengths(figure, scale)];
  });
  const names = figure.runs.map(({ panel, series }) =>
    panel === undefined ? series : `${panel}: ${series}`,
  );
  return [
    `${heading(figure.title)}\n\n${paragraph(figure.caption, 2)}\n`,
    table(["scale", "runs", "seeds of each curve", "each run"], rows, [1, 2]),
    `\n${heading("Curves")}\n${names.map((name) => `  ${name}`).join("\n")}`,
    `\n${heading("Claims")}\n${figure.claims.map(({ text }) => `  ${text}`).join("\n")}`,
    `\n  ${shellCommand("reproduce", figure.id)}`,
  ].join("\n");
}

function describeTable({ id, title, caption, columns, efforts, claims }: TableDefinition) {
  return {
    id,
    title,
    caption,
    columns: columns.map(({ key }) => key),
    scales: efforts,
    claims: claims.map(({ text }) => text),
  };
}

function tableInFull({ id, title, caption, efforts, claims }: TableDefinition): string {
  return [
    `${heading(title)}\n\n${paragraph(caption, 2)}\n`,
    table(
      ["scale", "computes"],
      scales.map((scale) => [pc.cyan(scale), efforts[scale]]),
    ),
    `\n${heading("Claims")}\n${claims.map(({ text }) => `  ${text}`).join("\n")}`,
    `\n  ${shellCommand("reproduce", id)}`,
  ].join("\n");
}
