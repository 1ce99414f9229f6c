import { existsSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { configureEnv, type EnvDefinition, environments, parseConfig, type TopKConfig } from "corral/envs";
import { InputError } from "corral/errors";
import { createRng } from "corral/random";
import {
  type ActingSignals,
  bestAlikeRate,
  bestIndependentPolicy,
  bestInformedValue,
  bestSharedValue,
  type IndependentCeiling,
  observationGame,
  searchIndependentCeiling,
  sharedSignalsScore,
  type TopKScore,
  uniformScore,
  uniformValue,
} from "corral/tabular";
import pc from "picocolors";
import { eta } from "../../scheduler/index.ts";
import type { CommonOptions, Context } from "../context.ts";
import { findEnvironment } from "../find-environment.ts";
import { brief, duration, grouped, paragraph, printJson, table } from "../output.ts";
import { createProgress } from "../progress.ts";
import { readJson } from "../read-json.ts";
import { readSettings, splitSettings } from "../settings.ts";

interface CeilingRequest extends CommonOptions {
  readonly starts?: number;
  readonly seed: number | string;
}

/** Milliseconds of search before progress is shown. */
const PATIENCE = 2_000;
/** Milliseconds between two looks at progress. */
const SLICE = 100;

/** `corral ceiling`: what agents can reach that do not share what they see. */
export async function ceiling(
  context: Context,
  nameOrPath: string,
  words: readonly string[],
  request: CeilingRequest,
): Promise<void> {
  const { definition, settings } = await findOneStepGame(context, nameOrPath, words);
  const title = [definition.name, ...words].join(" ");
  if (definition === environments.topk) {
    return topKCeiling(title, parseConfig("topk", environments.topk.config, settings), request);
  }
  if (request.starts !== undefined) {
    throw new InputError(`--starts is for topk: ${definition.name} is settled by trying every policy`);
  }
  finiteCeiling(title, definition, settings, request);
}

interface Found {
  readonly definition: EnvDefinition;
  readonly settings: Readonly<Record<string, unknown>>;
}

/** An environment with its settings, or the payoffs of a JSON file as a matrix game. */
async function findOneStepGame(
  context: Context,
  nameOrPath: string,
  words: readonly string[],
): Promise<Found> {
  const isModule = /\.[cm]?[jt]s$/.test(nameOrPath);
  const isFile = /\.json$/i.test(nameOrPath) || (!isModule && existsSync(nameOrPath));
  if (isFile && !Object.hasOwn(environments, nameOrPath)) {
    if (words.length > 0) {
      throw new InputError(
        `"${words[0]}": payoffs of a file have no settings, expected an environment before them`,
      );
    }
    const json = readJson(nameOrPath);
    const settings = Array.isArray(json) ? { payoff: json } : json;
    if (typeof settings !== "object" || settings === null) {
      throw new InputError(
        `${nameOrPath}: expected nested lists of payoffs, or an object with payoff and actions`,
      );
    }
    const definition = { ...(environments["matrix-game"] as EnvDefinition), name: nameOrPath };
    return { definition, settings: settings as Record<string, unknown> };
  }
  const { definition } = await findEnvironment(nameOrPath, context);
  const typed = splitSettings(words);
  const given: Record<string, string> = { ...typed.own, ...typed.env };
  const known = "shape" in definition.config ? (definition.config.shape as object) : {};
  // As the papers write it.
  if (Object.hasOwn(given, "n") && Object.hasOwn(known, "agents") && !Object.hasOwn(known, "n")) {
    if (Object.hasOwn(given, "agents"))
      throw new InputError("n and agents are one setting, expected one of them");
    given.agents = given.n;
    delete given.n;
  }
  return { definition, settings: readSettings(given, definition.config) };
}

async function topKCeiling(title: string, config: TopKConfig, request: CeilingRequest): Promise<void> {
  const { starts = startsFor(config.agents), seed, json } = request;
  const found = await search(config, starts, seed);
  const together = sharedSignalsScore(config);
  const uniform = uniformScore(config);
  const idle = { success: 0, return: -1 };
  const { common, ...independent } = found;
  if (json) {
    return printJson({
      game: "topk",
      config,
      independent,
      commonThreshold: common,
      together: together ?? null,
      uniform,
      idle,
    });
  }
  const row = (who: string, score: TopKScore | undefined) => [
    who,
    brief(score?.success),
    brief(score?.return),
  ];
  const rows = [
    row("sees its own signal only, at best", found),
    row("the same, one threshold for all", common),
    row("knows all signals", together),
    row("acts or not at random", uniform),
    row("never acts", idle),
  ];
  console.log(`${pc.bold(title)}: ${teamOf(config.agents)}, of whom the top ${config.k} should act\n`);
  console.log(table(["every agent", "success", "return"], rows, [1, 2]));
  console.log(`\n${describePolicy(found)}\n\n${pc.dim(paragraph(describeSearch(config, found), 2))}`);
  if (together === undefined) {
    const note =
      "Knowing all signals: some of the top agents cost more than they earn, others do not, which is not computed.";
    console.log(pc.dim(paragraph(note, 2)));
  }
}

/** Climbs take longer the more agents there are. */
function startsFor(agents: number): number {
  if (agents <= 8) return 16;
  if (agents <= 12) return 8;
  return agents <= 24 ? 2 : 0;
}

async function search(
  config: TopKConfig,
  starts: number,
  seed: number | string,
): Promise<IndependentCeiling> {
  const since = Date.now();
  const progress = createProgress();
  try {
    const steps = searchIndependentCeiling(config, createRng(seed).split("starts"), { starts });
    for (let shown = since; ; ) {
      const { done, value } = steps.next();
      if (done) return value;
      const now = Date.now();
      if (now - since < PATIENCE || now - shown < SLICE) continue;
      shown = now;
      const left = eta({ done: value.done, total: value.climbs, resumed: 0, since }, now);
      const climbs = `climb ${value.done + 1} of ${value.climbs}`;
      const text = `${left === undefined ? "" : `${duration(left)} left${pc.dim(" · ")}`}${climbs}${pc.dim(" · ")}best return ${brief(value.best)}`;
      progress.whole(value.done / value.climbs, text);
      await turn();
    }
  } finally {
    progress.stop();
  }
}

function describePolicy({ acting, thresholds }: IndependentCeiling): string {
  const [first = 1] = thresholds ?? [];
  if (thresholds?.every((threshold) => Math.abs(threshold - first) < 1e-6)) {
    return `  best: every agent acts when its signal is above ${brief(first)}`;
  }
  const rows = acting.map((own, i) => [String(i), describeSignals(own)]);
  return table(["agent", "acts for signals in"], rows);
}

const describeSignals = (acting: ActingSignals): string => {
  const intervals: string[] = [];
  // An agent that acts from 0 on is found to do so from where rounding lets it gain.
  const place = (signal: number) => brief(signal < 1e-6 ? 0 : signal);
  for (let e = 0; e < acting.length; e += 2) intervals.push(`${place(acting[e])} to ${place(acting[e + 1])}`);
  return intervals.length === 0 ? "none" : intervals.join(", ");
};

function describeSearch(
  { penalty, penaltyMode }: TopKConfig,
  { climbs, agreeing }: IndependentCeiling,
): string {
  if (climbs === 0) {
    const why = penalty > 0 && penaltyMode === "once" ? "a penalty that counts once" : "so many agents";
    return `The best threshold that all agents share; others were not tried (${why}).`;
  }
  return (
    `${agreeing} of ${climbs} climbs from different policies end at this return, ` +
    "where no agent gains alone by any policy of its own signal."
  );
}

function finiteCeiling(
  title: string,
  definition: EnvDefinition,
  settings: Readonly<Record<string, unknown>>,
  { json }: CeilingRequest,
): void {
  const { config, factory } = configureEnv(definition, settings);
  const env = factory();
  if (env.spec.horizon !== 1) {
    throw new InputError(
      `${definition.name} has episodes of ${env.spec.horizon} steps, expected a game of one joint action such as topk, swap or matrix-game`,
    );
  }
  if (env.model === undefined) {
    throw new InputError(
      `${title} has no exact model, expected a smaller game, or one with few different observations`,
    );
  }
  const game = observationGame(env.model());
  const independent = bestIndependentPolicy(game);
  const alike = bestAlikeRate(game);
  const [together, informed, uniform] = [bestSharedValue(game), bestInformedValue(game), uniformValue(game)];
  if (json) {
    printJson({
      game: definition.name,
      config,
      independent: { return: independent.value, policy: independent.policy.map((own) => [...own]) },
      alike: alike === undefined ? null : { return: alike.value, rate: alike.rate },
      together: { return: together },
      informed: { return: informed },
      uniform: { return: uniform },
    });
    return;
  }
  const rows = [
    ["acts on its own observation, at best", brief(independent.value)],
    ...(alike === undefined
      ? []
      : [[`is like the others and plays 1 with probability ${brief(alike.rate)}`, brief(alike.value)]]),
    ["acts on what all observe", brief(together)],
    ["acts on the whole state", brief(informed)],
    ["acts at random", brief(uniform)],
  ];
  console.log(`${pc.bold(title)}: ${teamOf(env.spec.agents)}\n`);
  console.log(table(["every agent", "return"], rows, [1]));
  const policies = independent.policy.map((own, i) => [String(i), [...own].join(" ")]);
  const seen = Math.max(...game.observations);
  const head = seen === 1 ? "plays" : "plays at its observations, in order";
  console.log(`\n${table(["agent", head], policies)}`);
}

const teamOf = (agents: number): string => (agents === 1 ? "1 agent" : `${grouped(agents)} agents`);
