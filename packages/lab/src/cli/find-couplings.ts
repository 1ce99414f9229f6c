import { existsSync } from "node:fs";
import { configureEnv, type EnvDefinition, environments } from "corral/envs";
import { InputError } from "corral/errors";
import { type CouplingGraphs, couplingsFromJson } from "corral/structure";
import type { Context } from "./context.ts";
import { findEnvironment } from "./find-environment.ts";
import { readJson } from "./read-json.ts";
import { readSettings, splitSettings } from "./settings.ts";

interface FoundCouplings {
  /** What they are called in headings. */
  readonly title: string;
  /** One set of graphs, or one for each step when they change. */
  readonly couplings: CouplingGraphs | readonly CouplingGraphs[];
}

/**
 * Couplings from a JSON file, or those of an environment.
 *
 * @param words `key=value` settings of the environment
 * @throws InputError when there is neither, the file is not valid, or the environment has no couplings
 */
export async function findCouplings(
  nameOrPath: string,
  words: readonly string[],
  context: Context,
): Promise<FoundCouplings> {
  const isModule = /\.[cm]?[jt]s$/.test(nameOrPath);
  const isFile = /\.json$/i.test(nameOrPath) || (!isModule && existsSync(nameOrPath));
  if (isFile && !Object.hasOwn(environments, nameOrPath)) {
    if (words.length > 0) {
      throw new InputError(
        `"${words[0]}": couplings of a file have no settings, expected an environment before them`,
      );
    }
    return { title: nameOrPath, couplings: couplingsOfFile(nameOrPath) };
  }
  const { definition } = await findEnvironment(nameOrPath, context);
  const typed = splitSettings(words);
  const settings = readSettings({ ...typed.own, ...typed.env }, definition.config);
  const { spec, couplings } = configureEnv(definition, settings).factory();
  const title = [definition.name, ...words].join(" ");
  if (couplings === undefined) {
    const choices = coupledEnvironments();
    const instead = choices.length === 0 ? "" : ` or one of ${choices.join(", ")}`;
    throw new InputError(`${title} has no couplings, expected a JSON file of couplings${instead}`);
  }
  const found: FoundCouplings["couplings"] = couplings();
  for (const { agents } of "agents" in found ? [found] : found) {
    if (agents !== spec.agents) {
      throw new InputError(`${title}: couplings are of ${agents} agents, expected ${spec.agents}`);
    }
  }
  return { title, couplings: found };
}

function couplingsOfFile(file: string): FoundCouplings["couplings"] {
  const json = readJson(file);
  try {
    return couplingsFromJson(json);
  } catch (error) {
    if (error instanceof InputError) throw new InputError(`${file}: ${error.message}`);
    throw error;
  }
}

/** The environments that have couplings with their default settings. */
function coupledEnvironments(): string[] {
  // biome-ignore lint/suspicious/noExplicitAny: each table entry has a config type of its own.
  const definitions = Object.values(environments) as readonly EnvDefinition<any>[];
  return definitions
    .filter((definition) => configureEnv(definition, {}).factory().couplings !== undefined)
    .map(({ name }) => name);
}
