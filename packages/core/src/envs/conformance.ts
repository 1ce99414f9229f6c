import { createRng, type Rng } from "../random/index.ts";
import { drawActions, maskSize } from "./actions.ts";
import { couplingProblem } from "./coupling-conformance.ts";
import type { EnvFactory } from "./definition.ts";
import type { ActionSpace, Env, EnvSpec, FiniteModel, Outcome, Scene } from "./env.ts";
import { chooseActions, playRandomly } from "./random-play.ts";
import { specProblem } from "./spec-problem.ts";

/** Steps of random play compared with a model. */
const modelSteps = 10_000;

/** One thing an environment promises, and whether it keeps it. */
export interface ConformanceCheck {
  readonly name: string;
  readonly passed: boolean;
  /** False for what is merely suspicious: such a check may fail in a sound environment. */
  readonly required: boolean;
  /** What was checked or, when it failed, what was found. */
  readonly detail: string;
}

export interface ConformanceReport {
  readonly checks: readonly ConformanceCheck[];
  /** True when every required check passed. */
  readonly passed: boolean;
}

export interface ConformanceOptions {
  /** Episodes of random play in each check that plays; 5 when left out. */
  readonly episodes?: number;
  /** Seed of everything drawn; 0 when left out. */
  readonly seed?: number | string;
}

/**
 * Plays an environment with random available actions and checks what every algorithm relies on: shapes, finite
 * numbers, masks, ends and successes of episodes, refusal of invalid actions, repeatability, snapshots, couplings, and
 * the exact model.
 */
export function checkEnv(factory: EnvFactory, options: ConformanceOptions = {}): ConformanceReport {
  const { episodes = 5, seed = 0 } = options;
  const rng = createRng(seed).split("conformance");
  const checks: ConformanceCheck[] = [];
  const check = (name: string, test: (rng: Rng) => string | undefined, required = true): boolean => {
    let problem: string | undefined;
    try {
      problem = test(rng.split(name));
    } catch (error) {
      problem = `threw: ${error instanceof Error ? error.message : String(error)}`;
    }
    checks.push({ name, passed: problem === undefined, required, detail: problem ?? "ok" });
    return problem === undefined;
  };

  // An environment whose specification makes no sense cannot be played at all.
  if (check("spec", () => specProblem(factory().spec))) {
    check("shapes", (stream) => shapeProblem(factory(), stream));
    check("random play", (stream) => playProblem(factory(), episodes, stream));
    check("order of calls", (stream) => orderProblem(factory, stream));
    check("invalid actions", (stream) => refusalProblem(factory(), stream));
    if (factory().spec.actions.some((space) => space.kind === "box" && space.clips)) {
      check("clipped actions", (stream) => clippingProblem(factory, stream));
    }
    check("same seed, same play", (stream) => {
      const [first, second] = ["one", "one"].map((name) => replay(factory, stream, name));
      return first === second ? undefined : "two copies with the same seed and actions differ";
    });
    check(
      "different seeds differ",
      (stream) => {
        if (nothingRandom(factory().model?.())) return undefined;
        const [first, second] = ["one", "other"].map((name) => replay(factory, stream, name));
        return first === second ? "play does not depend on the seed" : undefined;
      },
      false,
    );
    check("snapshot", (stream) => snapshotProblem(factory, episodes, stream));
    check("scene", (stream) => sceneProblem(factory(), stream));
    if (factory().rivals !== undefined) {
      check("rivals", (stream) => rivalProblem(factory, stream));
    }
    if (factory().couplings !== undefined) {
      check("couplings", (stream) => couplingProblem(factory(), episodes, stream));
    }
    if (factory().model !== undefined) {
      check("model tables", () => modelTableProblem(factory()));
      check("model agrees with play", (stream) => modelPlayProblem(factory(), stream));
    }
  }
  return { checks, passed: checks.every(({ passed, required }) => passed || !required) };
}

/** The flat arrays an environment can fill, with the number of entries each has. */
function outputs(env: Env) {
  const { agents, observationSize, stateSize } = env.spec;
  return [
    { name: "observe", size: agents * observationSize, write: env.observe.bind(env), Type: Float32Array },
    { name: "state", size: stateSize, write: env.state.bind(env), Type: Float32Array },
    { name: "available", size: maskSize(env.spec), write: env.available?.bind(env), Type: Uint8Array },
    { name: "dependency", size: agents * agents, write: env.dependency?.bind(env), Type: Float32Array },
  ] as const;
}

/** Whether each array is filled from `at` on, entirely, and nowhere else. */
function shapeProblem(env: Env, rng: Rng): string | undefined {
  env.reset(rng);
  const at = 3;
  for (const { name, size, write, Type } of outputs(env)) {
    if (write === undefined) continue;
    // Two different fillings tell a number left alone from one that happens to equal the filling.
    const [first, second] = [77, 78].map((filling) => {
      const out = new Type(at + size + 5).fill(filling);
      (write as (out: Float32Array | Uint8Array, at: number) => void)(out, at);
      return { filling, out };
    });
    for (let k = 0; k < first.out.length; k++) {
      const written = first.out[k] !== first.filling || second.out[k] !== second.filling;
      const inside = k >= at && k < at + size;
      if (inside && !written) return `${name} leaves entry ${k - at} of ${size} unwritten`;
      if (!inside && written) return `${name} writes at ${k - at}, outside its ${size} entries`;
    }
  }
  return undefined;
}

/** Numbers finite, masks sensible, ends of episodes right, through whole episodes. */
function playProblem(env: Env, episodes: number, rng: Rng): string | undefined {
  const stream = rng.split("env");
  const choices = rng.split("actions");
  for (let episode = 0; episode < episodes; episode++) {
    env.reset(stream);
    for (let step = 1; ; step++) {
      const where = `episode ${episode}, step ${step}`;
      const before = momentProblem(env);
      if (before !== undefined) return `${where}: ${before}`;
      const outcome = playRandomly(env, choices);
      const problem = outcomeProblem(env.spec, outcome, step) ?? sidesProblem(env);
      if (problem !== undefined) return `${where}: ${problem}`;
      if (outcome.terminated || outcome.truncated) {
        // What the last state looks like is what a value function bootstraps from.
        const last = momentProblem(env, false);
        if (last !== undefined) return `${where}, at the end: ${last}`;
        break;
      }
    }
  }
  return undefined;
}

/** What is wrong with the arrays an environment shows at one moment. */
function momentProblem(env: Env, choosing = true): string | undefined {
  const { agents, observationSize, observationSizes, sharedObservation, actions } = env.spec;
  for (const { name, size, write, Type } of outputs(env)) {
    if (write === undefined || Type === Uint8Array) continue;
    const out = new Float32Array(size);
    (write as (out: Float32Array, at: number) => void)(out, 0);
    const broken = out.findIndex((value) => !Number.isFinite(value));
    if (broken >= 0) return `${name}: entry ${broken} is ${out[broken]}`;
    if (name === "observe" && sharedObservation) {
      const differs = out.findIndex((value, k) => value !== out[k % observationSize]);
      if (differs >= 0) {
        return `observation of agent ${Math.floor(differs / observationSize)} differs from agent 0's, but sharedObservation is true`;
      }
    }
    if (name === "observe" && observationSizes !== undefined) {
      const filled = out.findIndex(
        (value, k) => value !== 0 && k % observationSize >= observationSizes[Math.floor(k / observationSize)],
      );
      if (filled >= 0) {
        const agent = Math.floor(filled / observationSize);
        return `observation of agent ${agent} has ${out[filled]} behind its ${observationSizes[agent]} numbers, expected 0`;
      }
    }
    if (name === "dependency") {
      for (let i = 0; i < agents; i++) {
        for (let j = 0; j < i; j++) {
          if (out[i * agents + j] !== out[j * agents + i])
            return `dependency of ${i} and ${j} is not symmetric`;
        }
      }
    }
  }
  if (env.available === undefined) return undefined;
  const mask = new Uint8Array(maskSize(env.spec));
  env.available(mask, 0);
  let offset = 0;
  for (const [i, space] of actions.entries()) {
    if (space.kind !== "discrete") continue;
    const own = mask.subarray(offset, offset + space.n);
    offset += space.n;
    if (own.some((entry) => entry > 1)) return `mask of agent ${i} holds numbers other than 0 and 1`;
    if (choosing && !own.includes(1)) return `agent ${i} has no available action`;
  }
  return undefined;
}

function outcomeProblem(spec: EnvSpec, outcome: Outcome, step: number): string | undefined {
  const { reward, rewards, terminated, truncated } = outcome;
  if (!Number.isFinite(reward)) return `reward is ${reward}`;
  if (spec.rewards === "individual") {
    if (rewards?.length !== spec.agents) return `${rewards?.length ?? 0} rewards for ${spec.agents} agents`;
    let sum = 0;
    let magnitude = 1;
    for (let i = 0; i < spec.agents; i++) {
      if (!Number.isFinite(rewards[i])) return `reward of agent ${i} is ${rewards[i]}`;
      sum += rewards[i];
      magnitude += Math.abs(rewards[i]);
    }
    if (Math.abs(sum - reward) > 1e-6 * magnitude) {
      return `rewards of agents sum to ${sum}, but the team's is ${reward}`;
    }
  }
  if (typeof terminated !== "boolean") return `terminated is ${terminated}`;
  if (typeof truncated !== "boolean") return `truncated is ${truncated}`;
  if (terminated && truncated) return "both terminated and truncated";
  if (truncated && step < spec.horizon) return `truncated before the horizon of ${spec.horizon} steps`;
  if (!terminated && !truncated && step >= spec.horizon)
    return `goes on past the horizon of ${spec.horizon} steps`;
  return successProblem(spec, outcome);
}

/** Success is reported when an episode ends, where the specification says what it is, and at no other time. */
function successProblem(spec: EnvSpec, { success, terminated, truncated }: Outcome): string | undefined {
  if (spec.success === undefined) {
    return success === undefined ? undefined : `success is ${success}, but the spec does not say what it is`;
  }
  if (terminated || truncated) {
    return typeof success === "boolean" ? undefined : `success is ${success} at the end of the episode`;
  }
  return success === undefined ? undefined : `success is ${success} before the end of the episode`;
}

/** Every side that the specification names has a reward at every step. */
function sidesProblem({ spec: { sides = [] }, sideRewards }: Env): string | undefined {
  const rewards = Array.from(sideRewards?.() ?? []);
  if (rewards.length !== sides.length) return `${rewards.length} rewards for ${sides.length} sides`;
  const broken = rewards.findIndex((reward) => !Number.isFinite(reward));
  return broken < 0 ? undefined : `reward of side ${sides[broken]} is ${rewards[broken]}`;
}

/**
 * Rivals are described, shown and paid as agents are; told to do the same, those of two copies with the same seed and team do.
 */
function rivalProblem(factory: EnvFactory, rng: Rng): string | undefined {
  const { spec, names } = factory().rivals!;
  const problem = specProblem(spec);
  if (problem !== undefined) return problem;
  if (names.length !== spec.agents) return `${names.length} names for ${spec.agents} rivals`;
  const size = spec.agents * spec.observationSize;
  const play = (): string => {
    const env = factory();
    const rivals = env.rivals!;
    const [actions, theirs] = [rng.split("actions"), rng.split("theirs")];
    const told = new Int32Array(spec.agents);
    const seen: string[] = [];
    env.reset(rng.split("env"));
    for (let step = 0; step < spec.horizon; step++) {
      drawActions(spec, theirs, told);
      const { reward, terminated, truncated } = env.step(chooseActions(env, actions), told);
      const own = Array.from(rivals.rewards());
      const observed = new Float32Array(size + 2).fill(Number.NaN);
      rivals.observe(observed, 1);
      if (!observed.subarray(1, size + 1).every(Number.isFinite))
        throw new Error("observations are not all finite");
      if (!Number.isNaN(observed[0]) || !Number.isNaN(observed[size + 1]))
        throw new Error("observe writes outside");
      if (own.length !== spec.agents || !own.every(Number.isFinite))
        throw new Error(`rewards are ${own.join()}`);
      seen.push([reward, ...own, ...observed, portrait(env)].join());
      if (terminated || truncated) break;
    }
    return seen.join("\n");
  };
  const [first, second] = [play(), play()];
  return first === second ? undefined : "two copies whose rivals do the same differ";
}

function orderProblem(factory: EnvFactory, rng: Rng): string | undefined {
  const env = factory();
  const valid = env.spec.actions.flatMap(anAction);
  if (!throws(() => env.step(valid))) return "step before reset does not throw";
  const choices = rng.split("actions");
  env.reset(rng.split("env"));
  for (let step = 0; step < env.spec.horizon; step++) {
    const { terminated, truncated } = playRandomly(env, choices);
    if (terminated || truncated) break;
  }
  if (!throws(() => env.step(valid))) return "step after the end of the episode does not throw";
  env.reset(rng.split("env"));
  playRandomly(env, choices);
  return undefined;
}

/** Some action of this space. */
function anAction(space: ActionSpace): number[] {
  if (space.kind === "discrete") return [0];
  if (space.kind === "box") return new Array<number>(space.size).fill(space.low);
  return oneShare(space.size, 1);
}

/** Nothing for all but the first. */
const oneShare = (size: number, share: number): number[] =>
  Array.from({ length: size }, (_, d) => (d === 0 ? share : 0));

function throws(action: () => void): boolean {
  try {
    action();
  } catch {
    return true;
  }
  return false;
}

/** Joint actions that do not exist are refused, by name, and change nothing. */
function refusalProblem(env: Env, rng: Rng): string | undefined {
  const { spec } = env;
  env.reset(rng.split("env"));
  const valid = chooseActions(env, rng.split("actions"));
  const before = JSON.stringify(env.snapshot());
  const complaint = (actions: readonly number[]): string | undefined => {
    try {
      env.step(actions);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
    return undefined;
  };
  for (const length of [valid.length - 1, valid.length + 1]) {
    if (complaint(Array.from({ length }, (_, k) => valid[k] ?? 0)) === undefined) {
      return `accepts a joint action of ${length} numbers, expected ${valid.length}`;
    }
  }
  let k = 0;
  for (const [agent, space] of spec.actions.entries()) {
    for (const { value, numbers } of wrongActions(space)) {
      const message = complaint(Array.from(valid, (action, at) => numbers[at - k] ?? action));
      if (message === undefined) return `accepts action ${value} of agent ${agent}`;
      const named: readonly string[] =
        message.replace(/ \(step \d+\)$/, "").match(/-?\d+(\.\d+)?|NaN/g) ?? [];
      if (!named.includes(String(agent)) || !named.includes(String(value))) {
        return `refuses action ${value} of agent ${agent} without naming both: "${message}"`;
      }
    }
    k += space.kind === "discrete" ? 1 : space.size;
  }
  return JSON.stringify(env.snapshot()) === before ? undefined : "a refused action changes the environment";
}

/** Actions that do not exist: the first numbers of the action, and the value that a refusal should name. */
function wrongActions(space: ActionSpace): { readonly value: number; readonly numbers: readonly number[] }[] {
  const single = (...values: number[]) => values.map((value) => ({ value, numbers: [value] }));
  switch (space.kind) {
    case "discrete":
      return single(-1, space.n, 0.5, Number.NaN);
    case "box":
      return space.clips ? single(Number.NaN) : single(space.low - 1, space.high + 1, Number.NaN);
    case "simplex":
      return [...single(-1, 2, Number.NaN), { value: 0.5, numbers: oneShare(space.size, 0.5) }];
  }
}

/** Numbers that an environment clips act as the nearest that exist: each is sent out of its range in turn. */
function clippingProblem(factory: EnvFactory, rng: Rng): string | undefined {
  const [env, shadow] = [factory(), factory()];
  const play = (copy: Env, actions: ArrayLike<number>): string => {
    copy.reset(rng.split("env"));
    const { reward, rewards } = copy.step(actions);
    return [reward, ...Array.from(rewards ?? []), portrait(copy)].join();
  };
  env.reset(rng.split("env"));
  const valid = chooseActions(env, rng.split("actions"));
  let k = 0;
  for (const [agent, space] of env.spec.actions.entries()) {
    const size = space.kind === "discrete" ? 1 : space.size;
    for (let d = 0; d < size && space.kind === "box" && space.clips; d++) {
      for (const [outside, inside] of [
        [space.low - 1, space.low],
        [space.high + 1, space.high],
      ]) {
        if (play(env, valid.with(k + d, outside)) === play(shadow, valid.with(k + d, inside))) continue;
        return `number ${d} of agent ${agent} acts differently as ${outside} than as ${inside}, but the space clips`;
      }
    }
    k += size;
  }
  return undefined;
}

/** A snapshot, restored through JSON into the same and into another copy, repeats the rest of play exactly. */
function snapshotProblem(factory: EnvFactory, episodes: number, rng: Rng): string | undefined {
  const env = factory();
  const stream = rng.split("env");
  for (let episode = 0; episode < episodes; episode++) {
    const choices = rng.split(`actions ${episode}`);
    env.reset(stream);
    const stop = rng.split(`stop ${episode}`).integer(env.spec.horizon);
    for (let step = 0; step < stop; step++) {
      const { terminated, truncated } = playRandomly(env, choices);
      if (terminated || truncated) env.reset(stream);
    }
    const text = JSON.stringify(env.snapshot());
    const shown = portrait(env);
    const position = choices.state();
    const rest = playOn(env, choices, stream);

    // The other copy has another past, which must not show.
    const other = factory();
    const otherStream = rng.split("env");
    otherStream.next();
    other.reset(otherStream);
    playRandomly(other, rng.split("other actions"));
    for (const [name, copy, its] of [
      ["the same copy", env, stream],
      ["another copy", other, otherStream],
    ] as const) {
      copy.restore(JSON.parse(text));
      if (JSON.stringify(copy.snapshot()) !== text)
        return `restored into ${name}, a snapshot is not the one taken`;
      if (portrait(copy) !== shown) return `${name} looks different after restoring`;
      choices.restore(position);
      if (playOn(copy, choices, its) !== rest) return `${name} goes on differently after restoring`;
    }
  }
  return undefined;
}

/** Every moment of an episode can be drawn. */
function sceneProblem(env: Env, rng: Rng): string | undefined {
  const choices = rng.split("actions");
  env.reset(rng.split("env"));
  let ended = false;
  for (let step = 0; ; step++) {
    const problem = pictureProblem(env.scene());
    if (problem !== undefined) return `after ${step} steps ${problem}`;
    if (ended || step === env.spec.horizon) return undefined;
    const { terminated, truncated } = playRandomly(env, choices);
    ended = terminated || truncated;
  }
}

function pictureProblem({ left = 0, top = 0, width, height, shapes }: Scene): string | undefined {
  if (![left, top, width, height].every(Number.isFinite) || !(width > 0 && height > 0)) {
    return `size is ${width} x ${height} from (${left}, ${top})`;
  }
  for (const [k, shape] of shapes.entries()) {
    for (const [key, value] of Object.entries(shape)) {
      if (typeof value === "number" && !Number.isFinite(value)) return `shape ${k}: ${key} is ${value}`;
      if (typeof value === "number" && notNegative.includes(key) && value < 0) {
        return `shape ${k}: ${key} is ${value}, expected at least 0`;
      }
    }
    const { opacity = 1 } = shape;
    if (opacity < 0 || opacity > 1) return `shape ${k}: opacity is ${opacity}, expected a number of [0, 1]`;
  }
  return undefined;
}

/** Properties of shapes that are sizes. */
const notNegative = ["radius", "width", "height", "strokeWidth", "size"];

/** Whether a model leaves nothing to chance. */
function nothingRandom(model: FiniteModel | undefined): boolean {
  return (
    model !== undefined && [model.initial, model.transition].every((table) => table.every(Number.isInteger))
  );
}

function modelTableProblem(env: Env): string | undefined {
  const model = env.model?.();
  if (model === undefined) return "model() returns nothing";
  const { spec } = env;
  const { actions, states, discount } = model;
  if (
    JSON.stringify(actions) !== JSON.stringify(spec.actions.map((s) => (s.kind === "discrete" ? s.n : 0)))
  ) {
    return `actions are ${actions}, not those of the environment`;
  }
  const joint = actions.reduce((product, n) => product * n, 1);
  for (const [name, expected] of [
    ["transition", states * joint * states],
    ["reward", states * joint],
    ["initial", states],
    ["observations", states * spec.agents * spec.observationSize],
    ["stateFeatures", states * spec.stateSize],
    ["dependency", states * spec.agents * spec.agents],
  ] as const) {
    const table = model[name];
    if (table !== undefined && table.length !== expected) {
      return `${name} has ${table.length} entries, expected ${expected}`;
    }
    if (table?.some((value) => !Number.isFinite(value))) return `${name} holds a number that is not finite`;
  }
  for (const [name, table] of [
    ["transition", model.transition],
    ["initial", model.initial],
  ] as const) {
    for (let row = 0; row < table.length / states; row++) {
      let total = 0;
      for (let s = 0; s < states; s++) {
        if (table[row * states + s] < 0) return `${name}: row ${row} has a negative probability`;
        total += table[row * states + s];
      }
      if (Math.abs(total - 1) > 1e-9) return `${name}: row ${row} sums to ${total}`;
    }
  }
  return discount >= 0 && discount < 1 ? undefined : `discount is ${discount}`;
}

/**
 * Compares random play with the model. Bounds are such that a right model fails less than once in a million runs:
 * Freedman's inequality for the counts of next states (all together, by state, and by joint action) and
 * Hoeffding's for the rewards of each state and joint action, which must be exact where they are deterministic.
 */
function modelPlayProblem(env: Env, rng: Rng): string | undefined {
  const model = env.model?.() as FiniteModel;
  const { spec } = env;
  const { states, transition } = model;
  const joint = model.actions.reduce((product, n) => product * n, 1);
  const rowOf = (table: Float32Array, size: number, s: number) =>
    table.subarray(s * size, (s + 1) * size).join();
  const index = new Map<string, number>();
  for (let s = 0; s < states; s++) index.set(rowOf(model.stateFeatures, spec.stateSize, s), s);
  if (index.size !== states) return "states cannot be told apart by their features";

  const shown = outputs(env).filter(({ name }) => name === "observe" || name === "dependency");
  const identify = (): number | string => {
    const features = new Float32Array(spec.stateSize);
    env.state(features, 0);
    const s = index.get(features.join());
    if (s === undefined) return `state ${features.join()} is not in the model`;
    for (const { name, size, write } of shown) {
      const table = name === "observe" ? model.observations : model.dependency;
      if (write === undefined || table === undefined) continue;
      const out = new Float32Array(size);
      (write as (out: Float32Array, at: number) => void)(out, 0);
      if (out.join() !== rowOf(table, size, s)) return `${name} differs from the model in state ${s}`;
    }
    return s;
  };

  // Groups of steps: all, those from each state, those with each joint action.
  const groups = 1 + states + joint;
  const excess = new Float64Array(groups * states);
  const variance = new Float64Array(groups * states);
  const pairs = new Map<number, { count: number; sum: number; low: number; high: number }>();
  const stream = rng.split("env");
  const choices = rng.split("actions");
  env.reset(stream);
  let s = identify();
  for (let step = 0; step < modelSteps; step++) {
    if (typeof s === "string") return s;
    const actions = chooseActions(env, choices);
    const a = model.actions.reduce((digits, n, i) => digits * n + actions[i], 0);
    const { reward, terminated, truncated } = env.step(actions);
    const next = identify();
    if (typeof next === "string") return next;
    const pair = s * joint + a;
    if (transition[pair * states + next] === 0) {
      return `state ${s}, joint action ${a} led to state ${next}, which the model excludes`;
    }
    for (let other = 0; other < states; other++) {
      const probability = transition[pair * states + other];
      for (const group of [0, 1 + s, 1 + states + a]) {
        excess[group * states + other] += (other === next ? 1 : 0) - probability;
        variance[group * states + other] += probability * (1 - probability);
      }
    }
    const seen = pairs.get(pair) ?? { count: 0, sum: 0, low: reward, high: reward };
    seen.count++;
    seen.sum += reward;
    seen.low = Math.min(seen.low, reward);
    seen.high = Math.max(seen.high, reward);
    pairs.set(pair, seen);
    s = next;
    if (terminated || truncated) {
      env.reset(stream);
      s = identify();
    }
  }

  const tests = groups * states + pairs.size;
  const confidence = Math.log(2 * tests * 1e6);
  for (let k = 0; k < excess.length; k++) {
    const bound = Math.sqrt(2 * variance[k] * confidence) + (2 / 3) * confidence;
    if (Math.abs(excess[k]) <= bound) continue;
    const group = Math.floor(k / states);
    const from =
      group === 0
        ? ""
        : group <= states
          ? ` from state ${group - 1}`
          : ` by joint action ${group - 1 - states}`;
    const surplus = excess[k] > 0 ? "more" : "less";
    return `state ${k % states} is reached${from} ${surplus} often than the model says`;
  }
  const range = [...pairs.values()].reduce((widest, { low, high }) => Math.max(widest, high - low), 0);
  for (const [pair, { count, sum }] of pairs) {
    const mean = sum / count;
    const expected = model.reward[pair];
    const bound = range * Math.sqrt(confidence / (2 * count)) + 1e-9 * (1 + Math.abs(expected));
    if (Math.abs(mean - expected) > bound) {
      return `state ${Math.floor(pair / joint)}, joint action ${pair % joint} paid ${mean} on average, the model says ${expected}`;
    }
  }
  return undefined;
}

/** All that an environment shows at one moment, as text. */
function portrait(env: Env): string {
  return outputs(env)
    .map(({ size, write, Type }) => {
      if (write === undefined) return "";
      const out = new Type(size);
      (write as (out: Float32Array | Uint8Array, at: number) => void)(out, 0);
      return out.join();
    })
    .join(";");
}

/** Two episodes of a fresh copy whose stream has this name, always with the same actions. */
function replay(factory: EnvFactory, rng: Rng, name: string): string {
  const env = factory();
  const stream = rng.split("env").split(name);
  env.reset(stream);
  return playOn(env, rng.split("actions"), stream);
}

/** Plays to the end of the episode and through one more; returns all that was seen, as text. */
function playOn(env: Env, choices: Rng, stream: Rng): string {
  const seen: string[] = [];
  for (let episode = 0; episode < 2; episode++) {
    if (episode === 1) env.reset(stream);
    seen.push(portrait(env));
    for (let step = 0; step < env.spec.horizon; step++) {
      const { reward, rewards, terminated, truncated, success } = playRandomly(env, choices);
      seen.push([reward, ...Array.from(rewards ?? []), terminated, truncated, success, portrait(env)].join());
      if (terminated || truncated) break;
    }
  }
  return seen.join("\n");
}
