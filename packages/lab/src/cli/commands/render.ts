import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  configureEnv,
  type EnvDefinition,
  environments,
  playScenes,
  recordScenes,
  type SceneMoment,
  type SceneRecord,
  type SceneRecorder,
} from "corral/envs";
import { InputError, unknownName } from "corral/errors";
import { createRng, type Rng } from "corral/random";
import pc from "picocolors";
import { animateScenes, renderScenes, svgToPng } from "../../plot/index.ts";
import { isModulePath, loadLearner, openRun, type Run, writeFileAtomic } from "../../runs/index.ts";
import type { CommonOptions, Context } from "../context.ts";
import { findEnvironment } from "../find-environment.ts";
import { brief, grouped, printJson } from "../output.ts";
import { runResolver } from "../run-resolver.ts";
import { runTitle } from "../run-view.ts";
import { readSettings, splitSettings } from "../settings.ts";

interface RenderOptions extends CommonOptions {
  readonly policy?: string;
  readonly episode: number;
  readonly seed: number | string;
  readonly every?: number;
  readonly frames?: number;
  readonly out: string;
  readonly animate?: boolean;
}

/** An episode and whose it is. */
interface Played {
  /** What plays where, in words. */
  readonly title: string;
  readonly policy: string;
  readonly record: SceneRecord;
}

/** The policies that need no reference: of a run, and uniform over the available actions. */
const TRAINED = "trained";
const RANDOM = "random";
/** Moments of a strip when nothing is said about them; an animation has all. */
const USUAL_FRAMES = 12;

/** `corral render`: an episode as a strip of pictures or as an animation. */
export async function render(
  context: Context,
  nameOrPath: string,
  words: readonly string[],
  options: RenderOptions,
): Promise<void> {
  const { out, animate = false, every, frames, seed, episode } = options;
  const ending = /\.(svg|png)$/i.exec(out)?.[1].toLowerCase();
  if (ending === undefined) throw new InputError(`--out ${out}: expected a name that ends in .svg or .png`);
  if (animate && ending === "png") {
    throw new InputError(
      `--out ${out}: a PNG stands still, expected a name that ends in .svg with --animate`,
    );
  }
  if (every !== undefined && frames !== undefined) {
    throw new InputError("--every and --frames choose the moments in two ways, expected one of them");
  }
  const { title, policy, record } = await play(context, nameOrPath, words, options);
  const { moments, success } = record;
  const steps = moments.length - 1;
  const shown = chosen(moments, animate && frames === undefined ? (every ?? 1) : every, frames);
  const total = moments[steps].reward;
  const figure = {
    title,
    caption: caption(record, options, shown.length, animate),
    moments: shown,
  };
  const svg = animate ? animateScenes(figure) : renderScenes(figure);
  const bytes = ending === "png" ? svgToPng(svg) : Buffer.from(svg);
  writeFileAtomic(out, bytes);
  if (options.json) {
    const outcome = { steps, return: total, ...(success !== undefined && { success }) };
    const drawn = { steps: shown.map(({ step }) => step), animated: animate, bytes: bytes.length };
    return printJson({ file: out, title, policy, seed, episode, ...outcome, drawn });
  }
  console.log(`${pc.bold(title)}: ${outcomeText(record)}`);
  const what = animate ? `${shown.length} moments that move` : `${shown.length} moments`;
  console.log(`\n  ${out}  ${what}, ${grouped(bytes.length)} bytes`);
}

function outcomeText({ moments, success }: SceneRecord): string {
  const steps = moments.length - 1;
  const goal = success === undefined ? "" : success ? ", success" : ", no success";
  return `return ${brief(moments[steps].reward)} after ${steps} ${steps === 1 ? "step" : "steps"}${goal}`;
}

function caption(
  record: SceneRecord,
  { seed, episode }: RenderOptions,
  shown: number,
  animate: boolean,
): string {
  const outcome = outcomeText(record).replace("return -", "return −");
  const which = `Episode ${episode} of seed ${seed}: ${outcome}.`;
  if (animate) return which;
  return `${which} ${shown === 1 ? "Beside the step" : "Beside each step"}: the sum of the team's rewards so far.`;
}

/** Plays the episode that was asked for. Whoever plays, it starts alike. */
async function play(
  context: Context,
  nameOrPath: string,
  words: readonly string[],
  { policy, seed, episode }: RenderOptions,
): Promise<Played> {
  const run = findRun(nameOrPath);
  if (run !== undefined && words.length > 0) {
    throw new InputError(`"${words[0]}": a run has settings of its own, expected none`);
  }
  const { definition } = await findEnvironment(run?.spec.env ?? nameOrPath, context);
  const typed = splitSettings(words);
  const settings = run?.spec.envConfig ?? readSettings({ ...typed.own, ...typed.env }, definition.config);
  const { config, factory } = configureEnv(definition, settings);
  const references = definition.policies?.(config) ?? {};
  const names = [...(run === undefined ? [] : [TRAINED]), RANDOM, ...Object.keys(references)];
  const name = policy ?? names[0];
  if (!names.includes(name)) throw unknownName("policy", name, names);

  const stream = createRng(seed).split("render").split(String(episode));
  const [start, choices] = [stream.split("start"), stream.split("choices")];
  if (run !== undefined && name === TRAINED) {
    const { record, steps } = await playTrained(context, run, start, choices);
    return { title: `${runTitle(run)}, after ${grouped(steps)} steps`, policy: name, record };
  }
  const player = name === RANDOM ? RANDOM : references[name](stream.split("policy"));
  const where = run === undefined ? [definition.name, ...words].join(" ") : `environment of ${runTitle(run)}`;
  return {
    title: `${where}: ${name} policy`,
    policy: name,
    record: playScenes(factory, player, start, choices),
  };
}

/** The run in a directory; undefined where an environment is meant. @throws InputError when the run is missing or broken */
function findRun(nameOrPath: string): Run | undefined {
  if (existsSync(join(nameOrPath, "run.json"))) return openRun(nameOrPath);
  const definitions = Object.values(environments) as readonly EnvDefinition[];
  const named = definitions.some(({ name, aliases = [] }) => [name, ...aliases].includes(nameOrPath));
  if (named) return undefined;
  const isDirectory = statSync(nameOrPath, { throwIfNoEntry: false })?.isDirectory() ?? false;
  // Beside other runs, say; a name of two parts is that of no folder.
  const missing = dirname(nameOrPath) !== "." && existsSync(dirname(nameOrPath));
  return isDirectory || (missing && !isModulePath(nameOrPath)) ? openRun(nameOrPath) : undefined;
}

/** One episode of a run's newest policy, which does not explore. */
async function playTrained(
  context: Context,
  run: Run,
  start: Rng,
  choices: Rng,
): Promise<{ readonly record: SceneRecord; readonly steps: number }> {
  const resolve = await runResolver(context);
  let recorders: SceneRecorder[] | undefined;
  // Learners play in copies they make themselves: every copy made for the evaluation is recorded.
  const { learner, steps } = await loadLearner(run.directory, async (spec) => {
    const resolved = await resolve(spec);
    const factory = () => {
      const env = resolved.factory();
      if (recorders === undefined) return env;
      const recorder = recordScenes(env, start);
      recorders.push(recorder);
      return recorder.env;
    };
    return { ...resolved, factory };
  });
  try {
    recorders = [];
    await learner.evaluate(1, choices);
    for (const recorder of recorders) {
      const record = recorder.record();
      if (record !== undefined) return { record, steps };
    }
  } finally {
    await learner.dispose();
  }
  throw new InputError(
    `${run.directory} was trained by ${run.spec.algorithm}, which is evaluated without playing; expected another run or --policy ${RANDOM}`,
  );
}

/** About as many moments as are asked for, evenly, always with the first and the last. */
function chosen(
  moments: readonly SceneMoment[],
  every: number | undefined,
  frames: number | undefined,
): readonly SceneMoment[] {
  const last = moments.length - 1;
  if (frames !== undefined && frames < 2) return [moments[last]];
  if (frames !== undefined) {
    const count = Math.min(frames, moments.length);
    return Array.from({ length: count }, (_, k) => moments[Math.round((k * last) / Math.max(1, count - 1))]);
  }
  const stride = every ?? usualStride(last);
  return moments.filter(({ step }) => step % stride === 0 || step === last);
}

/** The smallest stride of few enough moments, or one not twice as large that goes into the episode evenly. */
function usualStride(steps: number): number {
  const least = Math.max(1, Math.ceil(steps / (USUAL_FRAMES - 1)));
  for (let stride = least; stride < 2 * least; stride++) if (steps % stride === 0) return stride;
  return least;
}
