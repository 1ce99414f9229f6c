import type { Rng } from "../random/index.ts";
import { type CouplingGraphs, couplingKinds, type IdLists } from "../structure/index.ts";
import type { Env, EnvSpec, JsonValue, Snapshot } from "./env.ts";
import { chooseActions, playRandomly } from "./random-play.ts";

/** Most agents whose action, and most numbers of a snapshot, that are changed at one moment. */
const mostChanges = 64;
/** Differences below this are rounding, relative to 1 and the number itself. */
const rounding = 1e-6;

/**
 * Whether couplings are those of the environment's agents and hold in play: at random moments the action of one agent, or
 * its state alone, is changed, and nobody whom the couplings leave out may notice. States are changed by changing one
 * number of a snapshot at a time, wherever that moves the own state of one agent only.
 *
 * @param moments random moments to try
 * @returns what contradicts the couplings, or undefined when nothing does
 */
export function couplingProblem(env: Env, moments: number, rng: Rng): string | undefined {
  const graphs = env.couplings?.();
  if (graphs === undefined) return "couplings() returns nothing";
  const problem = graphProblem(graphs, env.spec);
  if (problem !== undefined) return problem;
  const stream = rng.split("env");
  for (let moment = 0; moment < moments; moment++) {
    const draws = rng.split(`moment ${moment}`);
    playToAMoment(env, stream, draws);
    const found = actionInfluence(env, graphs, draws) ?? stateInfluence(env, graphs, draws);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Plays up to a random step of an episode. */
function playToAMoment(env: Env, stream: Rng, draws: Rng): void {
  env.reset(stream);
  const stop = draws.integer(env.spec.horizon);
  for (let step = 0; step < stop; step++) {
    const { terminated, truncated } = playRandomly(env, draws);
    if (terminated || truncated) {
      env.reset(stream);
      return;
    }
  }
}

function graphProblem(graphs: CouplingGraphs, spec: EnvSpec): string | undefined {
  const { agents } = spec;
  if (Array.isArray(graphs)) return "couplings change from step to step, expected couplings that do not";
  if (graphs.agents !== agents) return `couplings of ${graphs.agents} agents, expected ${agents}`;
  for (const kind of couplingKinds) {
    const { starts, ids } = graphs[kind];
    if (starts.length !== agents + 1) return `${kind} has ${starts.length - 1} lists, expected ${agents}`;
    for (let i = 0; i < agents; i++) {
      if (!holds(graphs[kind], i, i)) return `${kind}: the list of agent ${i} lacks agent ${i}`;
      for (let e = starts[i]; e < starts[i + 1]; e++) {
        if (!(ids[e] < agents && ids[e] > (e === starts[i] ? -1 : ids[e - 1]))) {
          return `${kind}: the list of agent ${i} has ${ids[e]}, expected increasing agents 0..${agents - 1}`;
        }
      }
    }
  }
  return undefined;
}

/** What one step showed: states and observations before and after it, and rewards. */
interface Glimpse {
  /** `[S]` */
  readonly state: Float32Array;
  /** `[N, O]` */
  readonly observations: Float32Array;
  /** `[N]`, where the game has them. */
  readonly rewards: Float64Array | undefined;
  /** `[S]` */
  readonly nextState: Float32Array;
  /** `[N, O]` */
  readonly nextObservations: Float32Array;
}

function glimpse(env: Env, from: Snapshot, actions: Float64Array): Glimpse {
  env.restore(from);
  const state = stateOf(env);
  const observations = observe(env);
  const { rewards } = env.step(actions);
  return {
    state,
    observations,
    rewards: rewards === undefined ? undefined : Float64Array.from(rewards),
    nextState: stateOf(env),
    nextObservations: observe(env),
  };
}

/** Changes the action of one agent after the other. */
function actionInfluence(env: Env, graphs: CouplingGraphs, draws: Rng): string | undefined {
  const moment = env.snapshot();
  const actions = chooseActions(env, draws);
  const others = chooseActions(env, draws);
  const before = glimpse(env, moment, actions);
  const begin = beginnings(env.spec.actions.map((space) => (space.kind === "discrete" ? 1 : space.size)));
  const chosen = draws.permutation(env.spec.agents).subarray(0, mostChanges);
  for (const j of chosen) {
    const changed = actions.slice();
    for (let k = begin[j]; k < begin[j + 1]; k++) changed[k] = others[k];
    const problem = contradiction(env.spec, graphs, before, glimpse(env, moment, changed), j, "action");
    if (problem !== undefined) return problem;
  }
  env.restore(moment);
  return undefined;
}

/** Changes one number of the snapshot after the other, and so the own states of single agents. */
function stateInfluence(env: Env, graphs: CouplingGraphs, draws: Rng): string | undefined {
  const moment = env.snapshot();
  const actions = chooseActions(env, draws);
  const before = glimpse(env, moment, actions);
  const places = numbersIn(moment);
  const chosen = draws.permutation(places.length).subarray(0, mostChanges);
  for (const k of chosen) {
    const after = glimpseOrNothing(
      env,
      withNumber(moment, places[k], (value) => moved(value, draws)),
      actions,
    );
    const agent = after === undefined ? undefined : onlyAgentMoved(env.spec, before.state, after.state);
    if (after === undefined || agent === undefined) continue;
    const problem = contradiction(env.spec, graphs, before, after, agent, "state");
    if (problem !== undefined) return problem;
  }
  env.restore(moment);
  return undefined;
}

/** Not every number can be changed to any other: what the environment refuses shows nothing. */
function glimpseOrNothing(env: Env, from: Snapshot, actions: Float64Array): Glimpse | undefined {
  try {
    return glimpse(env, from, actions);
  } catch {
    return undefined;
  }
}

/** Who noticed that the action or state of agent `j` is another, and should not have. */
function contradiction(
  spec: EnvSpec,
  graphs: CouplingGraphs,
  before: Glimpse,
  after: Glimpse,
  j: number,
  what: "action" | "state",
): string | undefined {
  const { agents, observationSize, stateSizes } = spec;
  const begin = stateSizes === undefined ? undefined : beginnings(stateSizes);
  for (let i = 0; i < agents; i++) {
    const from = i * observationSize;
    const to = from + observationSize;
    const without = (kind: string) =>
      `depends on the ${what} of agent ${j}, without ${kind} edge [${j}, ${i}]`;
    if (begin !== undefined && !holds(graphs.state, i, j)) {
      if (differ(before.nextState, after.nextState, begin[i], begin[i + 1])) {
        return `next state of agent ${i} ${without("state")}`;
      }
    }
    if (before.rewards !== undefined && after.rewards !== undefined && !holds(graphs.reward, i, j)) {
      if (differ(before.rewards, after.rewards, i, i + 1)) return `reward of agent ${i} ${without("reward")}`;
    }
    if (!holds(graphs.observation, i, j) && differ(before.observations, after.observations, from, to)) {
      return `observation of agent ${i} ${without("observation")}`;
    }
    if (!seesMoved(graphs, i, j) && differ(before.nextObservations, after.nextObservations, from, to)) {
      return `next observation of agent ${i} depends on the ${what} of agent ${j}, who moves nobody that agent ${i} observes`;
    }
  }
  return undefined;
}

/** Whether `i` observes an agent that `j` moves. */
function seesMoved({ observation, state }: CouplingGraphs, i: number, j: number): boolean {
  const { starts, ids } = observation;
  for (let e = starts[i]; e < starts[i + 1]; e++) if (holds(state, ids[e], j)) return true;
  return false;
}

/** The one agent whose own state differs, where states have owners and there is just one. */
function onlyAgentMoved(spec: EnvSpec, before: Float32Array, after: Float32Array): number | undefined {
  if (spec.stateSizes === undefined) return undefined;
  const begin = beginnings(spec.stateSizes);
  const moving: number[] = [];
  for (let i = 0; i < spec.agents; i++) if (differ(before, after, begin[i], begin[i + 1])) moving.push(i);
  return moving.length === 1 ? moving[0] : undefined;
}

function holds({ starts, ids }: IdLists, k: number, id: number): boolean {
  return ids.subarray(starts[k], starts[k + 1]).includes(id);
}

function differ(a: ArrayLike<number>, b: ArrayLike<number>, from: number, to: number): boolean {
  for (let k = from; k < to; k++) if (Math.abs(a[k] - b[k]) > rounding * (1 + Math.abs(a[k]))) return true;
  return false;
}

/** `[N + 1]`: where the numbers of each agent begin, and where the last one's end. */
function beginnings(sizes: readonly number[]): Int32Array {
  const begin = new Int32Array(sizes.length + 1);
  for (const [i, size] of sizes.entries()) begin[i + 1] = begin[i] + size;
  return begin;
}

function observe(env: Env): Float32Array {
  const out = new Float32Array(env.spec.agents * env.spec.observationSize);
  env.observe(out, 0);
  return out;
}

function stateOf(env: Env): Float32Array {
  const out = new Float32Array(env.spec.stateSize);
  env.state(out, 0);
  return out;
}

type Path = readonly (string | number)[];

/** Where the numbers of a JSON value are. */
function numbersIn(value: JsonValue): Path[] {
  if (typeof value === "number") return [[]];
  if (typeof value !== "object" || value === null) return [];
  const parts: [string | number, JsonValue][] = Array.isArray(value)
    ? [...value.entries()]
    : Object.entries(value);
  return parts.flatMap(([key, part]) => numbersIn(part).map((path) => [key, ...path]));
}

/** A copy with one number changed. */
function withNumber(value: Snapshot, [key, ...rest]: Path, change: (value: number) => number): Snapshot {
  if (key === undefined) return change(value as number);
  const copy = Array.isArray(value) ? [...value] : { ...(value as object) };
  const parts = copy as Record<string | number, JsonValue>;
  parts[key] = withNumber(parts[key], rest, change);
  return copy as Snapshot;
}

/** Another number not far away: an integer for an integer, else one that may have the other sign. */
function moved(value: number, draws: Rng): number {
  if (Number.isInteger(value)) return draws.integer(2) === 0 ? value - 1 : value + 1;
  return value + (1 + Math.abs(value)) * (4 * draws.uniform() - 2);
}
