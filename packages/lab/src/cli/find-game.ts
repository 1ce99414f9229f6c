import { existsSync } from "node:fs";
import { configureEnv, environments, type FiniteGame } from "corral/envs";
import { InputError } from "corral/errors";
import { checkGame, gameFromJson } from "corral/tabular";
import type { Context } from "./context.ts";
import { findEnvironment } from "./find-environment.ts";
import { readJson } from "./read-json.ts";
import { readSettings, splitSettings } from "./settings.ts";

/** Largest transition table: a certificate holds it as text, which takes about three times as much. */
const TABLE_LIMIT_BYTES = 64 * 2 ** 20;

interface FoundGame {
  /** What it is called in headings. */
  readonly title: string;
  readonly game: FiniteGame;
}

/**
 * A finite game from a JSON file, or the exact model of an environment.
 *
 * @param words `key=value` settings of the environment
 * @throws InputError when there is neither, the game is not valid or too large, or the environment has no model
 */
export async function findGame(
  nameOrPath: string,
  words: readonly string[],
  context: Context,
): Promise<FoundGame> {
  const isModule = /\.[cm]?[jt]s$/.test(nameOrPath);
  const isFile = /\.json$/i.test(nameOrPath) || (!isModule && existsSync(nameOrPath));
  if (isFile && !Object.hasOwn(environments, nameOrPath)) {
    if (words.length > 0) {
      throw new InputError(
        `"${words[0]}": a game of a file has no settings, expected an environment before them`,
      );
    }
    return { title: nameOrPath, game: gameFromJson(readJson(nameOrPath), TABLE_LIMIT_BYTES) };
  }
  const { definition } = await findEnvironment(nameOrPath, context);
  const typed = splitSettings(words);
  const settings = readSettings({ ...typed.own, ...typed.env }, definition.config);
  const { model } = configureEnv(definition, settings).factory();
  const title = [definition.name, ...words].join(" ");
  if (model === undefined) {
    throw new InputError(
      `${title} has no exact model, expected a JSON file of a game or a small environment such as coordination-game env.agents=3`,
    );
  }
  const { actions, states, transition, reward, initial, discount } = model();
  const game = { actions, states, transition, reward, initial, discount };
  checkGame(game, TABLE_LIMIT_BYTES);
  return { title, game };
}
