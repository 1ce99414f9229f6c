import { InputError } from "../../errors.ts";
import type { Rng } from "../../random/index.ts";
import { actionCheck } from "../actions.ts";
import type { ActionSpace, Env, EnvSpec, JointAction, Snapshot } from "../env.ts";
import { createEpisode } from "../episode.ts";
import { createObservations } from "./observations.ts";
import { towardsX, towardsY } from "./opponents.ts";
import type { Scenario } from "./scenario.ts";
import { particleScene } from "./scene.ts";
import type { ParticleConfig } from "./settings.ts";
import { advance, type World } from "./world.ts";

/** A particle environment with what lies behind its observations. */
export interface ParticleEnv extends Env {
  /** The present moment, in full. */
  readonly world: World;
  readonly scenario: Scenario;
  /** What the team's agents observe, one after the other and in double precision: the state. */
  readonly views: Float64Array;
  /** The last step's own rewards of everybody in the world, opponents too, `[N]`. */
  readonly ownRewards: Float64Array;
  /** Goes on from another moment. @throws InputError when it is not one of this game */
  load(moment: Moment): void;
}

/** A moment of a particle environment: what is not fixed about its bodies. */
export interface Moment {
  readonly x: ArrayLike<number>;
  readonly y: ArrayLike<number>;
  readonly vx: ArrayLike<number>;
  readonly vy: ArrayLike<number>;
  readonly messages: ArrayLike<number>;
  readonly secrets: ArrayLike<number>;
}

/** Numbers of a move in continuous actions: nothing, left, right, down, up. */
const moves = 5;

/**
 * The environment that plays by the rules of a scenario.
 *
 * Discrete action of agent i: one of 5 moves (nothing, left, right, down, up) if it moves, one of W words if it speaks,
 * `5 word + move` if it does both. Continuous: 5 numbers for the moves, of which the first has no effect and the others are
 * subtracted in pairs, then W for the message, all clipped to `[0, 1]`. A message is heard in the observation after the step.
 *
 * @param game what the environment is called, with the version of the public suite
 */
export function createParticleEnv(game: string, scenario: Scenario, config: ParticleConfig): ParticleEnv {
  const { world, landmarkRange, secrets, sees, reward, sides, ending } = scenario;
  const { protocol, actions: mode, rewards: sharing, integrator, horizon } = config;
  const { agents, entities, x, y } = world;
  const everybody = Array.from({ length: agents }, (_, i) => i);
  const members = sides !== undefined && protocol !== "joint" ? sides.team : everybody;
  const others = everybody.filter((i) => !members.includes(i));
  const team = Int32Array.from(members);
  const rivals = Int32Array.from(others);
  const script = sides?.script ?? (() => 0);
  // Whoever learns is told from outside what to do; where nobody says so, chance does.
  const opponents = protocol === "mixed" ? "random" : (config.opponents ?? "scripted");
  const choices = Int32Array.from(everybody, (i) => choicesOf(world, i));
  const continuous = mode === "continuous";
  const numbers = Int32Array.from(everybody, (i) => numbersOf(world, i));

  const seen = createObservations(scenario, members);
  const views = seen.values;
  const spec: EnvSpec = {
    id: `${game} (${matchOf(protocol, opponents)}, ${sharing})`,
    version: 1,
    agents: team.length,
    observationSize: seen.longest,
    observationSizes: seen.sizes,
    stateSize: views.length,
    actions: members.map(
      (i): ActionSpace =>
        continuous
          ? { kind: "box", size: numbers[i], low: 0, high: 1, clips: true }
          : { kind: "discrete", n: choices[i] },
    ),
    horizon,
    rewards: sharing === "individual" ? "individual" : "team",
    sharedObservation: false,
    ...(ending === undefined ? {} : { success: ending.success }),
    ...(sides === undefined ? {} : { sides: ["adversaries", "good-agents"] }),
  };
  const episode = createEpisode(spec);
  const played = new Int32Array(rivals.length);
  const ownRewards = new Float64Array(agents);
  const side =
    protocol === "mixed"
      ? createRivalSide(spec.id, scenario, others, choices, horizon, ownRewards)
      : undefined;
  const teamRewards = new Float64Array(team.length);
  const sideRewards = new Float64Array(2);
  // What a step came to. The episode is not told the reward, as a real number that is passed on may be boxed.
  const outcome = {
    reward: 0,
    rewards: sharing === "mean" ? undefined : teamRewards,
    terminated: false,
    truncated: false,
    success: undefined as boolean | undefined,
  };

  const look = (): void => {
    seen.look();
    side?.look();
  };

  const playOpponents = (rng: Rng, told: JointAction | undefined): void => {
    // All of them choose before any of them acts.
    for (let k = 0; k < rivals.length; k++) {
      if (told !== undefined) played[k] = told[k];
      else if (opponents === "scripted") played[k] = script(rivals[k]);
      else played[k] = opponents === "random" ? rng.integer(choices[rivals[k]]) : 0;
    }
    for (let k = 0; k < rivals.length; k++) choose(world, rivals[k], played[k]);
  };

  const playTeam = (actions: JointAction): void => {
    let at = 0;
    for (let k = 0; k < team.length; k++) {
      const agent = team[k];
      if (continuous) {
        steer(world, agent, actions, at);
        at += numbers[agent];
      } else {
        choose(world, agent, actions[k] | 0);
      }
    }
  };

  const load = (moment: Moment): void => {
    const problem = momentProblem(scenario, moment);
    if (problem !== undefined) throw new InputError(`${spec.id}: ${problem}`);
    for (const key of momentKeys) world[key].set(moment[key]);
    secrets.set(moment.secrets);
    look();
  };

  return {
    spec,
    world,
    scenario,
    views,
    ownRewards,
    load,
    reset(rng) {
      episode.begin(rng);
      for (let k = 0; k < secrets.length; k++) secrets[k] = rng.integer(entities - agents);
      for (let body = 0; body < entities; body++) {
        const range = body < agents ? 1 : landmarkRange;
        x[body] = range * (2 * rng.uniform() - 1);
        y[body] = range * (2 * rng.uniform() - 1);
      }
      world.vx.fill(0);
      world.vy.fill(0);
      world.messages.fill(0);
      look();
    },
    step(actions, theirs) {
      episode.admit(actions);
      if (theirs !== undefined) side?.check(theirs, episode.time);
      if (rivals.length > 0) playOpponents(episode.rng, side && theirs);
      playTeam(actions);
      advance(world, integrator);
      reward(ownRewards);
      look();
      let total = 0;
      for (let k = 0; k < team.length; k++) {
        teamRewards[k] = ownRewards[team[k]];
        total += teamRewards[k];
      }
      outcome.reward = sharing === "mean" ? total / team.length : total;
      const success = ending?.reached();
      const last = episode.time + 1 >= horizon;
      outcome.terminated = success === true && !last;
      outcome.truncated = episode.conclude(0, outcome.terminated).truncated;
      if (ending !== undefined) outcome.success = success || last ? success : undefined;
      return outcome;
    },
    observe: seen.write,
    state(out, at) {
      for (let k = 0; k < views.length; k++) out[at + k] = views[k];
    },
    ...(sides === undefined
      ? {}
      : {
          sideRewards: () => {
            sideRewards.fill(0);
            for (let i = 0; i < agents; i++) sideRewards[i < sides.adversaries ? 0 : 1] += ownRewards[i];
            return sideRewards;
          },
        }),
    ...(side === undefined ? {} : { rivals: side }),
    positions(out, at) {
      for (let k = 0; k < team.length; k++) {
        out[at + 2 * k] = x[team[k]];
        // The world's y points upwards.
        out[at + 2 * k + 1] = -y[team[k]];
      }
    },
    ...(sees === undefined
      ? {}
      : {
          visibility: (out: Uint8Array, at: number) => {
            for (const [k, viewer] of members.entries()) {
              for (const [l, other] of members.entries()) {
                out[at + k * team.length + l] = k !== l && sees(viewer, other) ? 1 : 0;
              }
            }
          },
        }),
    snapshot: () => ({
      game: spec.id,
      episode: episode.snapshot(),
      moment: {
        x: [...x],
        y: [...y],
        vx: [...world.vx],
        vy: [...world.vy],
        messages: [...world.messages],
        secrets: [...secrets],
      },
    }),
    restore(snapshot) {
      const saved = snapshot as unknown as {
        readonly game: string;
        readonly episode: Snapshot;
        readonly moment: Moment;
      };
      if (saved.game !== spec.id) {
        throw new InputError(`${spec.id}: cannot go on from a snapshot of ${saved.game}`);
      }
      load(saved.moment);
      episode.restore(saved.episode);
    },
    scene: () => particleScene(scenario),
  };
}

/** Who meets whom, for the environment's name. */
function matchOf(protocol: ParticleConfig["protocol"], opponents: string): string {
  if (protocol === "mixed") return "mixed: team against Q-learners";
  return protocol === "joint" ? protocol : `team against ${opponents}`;
}

/** The opponents of the team, to be played by somebody else. */
function createRivalSide(
  id: string,
  scenario: Scenario,
  agents: readonly number[],
  choices: ArrayLike<number>,
  horizon: number,
  ownRewards: Float64Array,
) {
  const seen = createObservations(scenario, agents);
  const spec: EnvSpec = {
    id: `${id}: opponents`,
    version: 1,
    agents: agents.length,
    observationSize: seen.longest,
    observationSizes: seen.sizes,
    stateSize: 0,
    actions: agents.map((i) => ({ kind: "discrete", n: choices[i] })),
    horizon,
    rewards: "individual",
    sharedObservation: false,
  };
  const rewards = new Float64Array(agents.length);
  return {
    names: agents.map((i) => scenario.world.bodies[i].name),
    spec,
    look: seen.look,
    observe: seen.write,
    rewards() {
      for (let k = 0; k < rewards.length; k++) rewards[k] = ownRewards[agents[k]];
      return rewards;
    },
    check: actionCheck(spec),
  };
}

/** Number of discrete actions of an agent. */
function choicesOf({ moves: moving, speaks, words }: World, agent: number): number {
  return (moving[agent] === 1 ? moves : 1) * (speaks[agent] === 1 ? words : 1);
}

/** Numbers in a continuous action of an agent. */
function numbersOf({ moves: moving, speaks, words }: World, agent: number): number {
  return (moving[agent] === 1 ? moves : 0) + (speaks[agent] === 1 ? words : 0);
}

/** An agent acts by a discrete action. */
function choose(world: World, agent: number, choice: number): void {
  const { moves: moving, speaks, words, forceX, forceY, acceleration, messages } = world;
  let word = choice;
  if (moving[agent] === 1) {
    const move = choice % moves;
    word = (choice - move) / moves;
    forceX[agent] = acceleration[agent] * towardsX(move);
    forceY[agent] = acceleration[agent] * towardsY(move);
  }
  if (speaks[agent] === 1) {
    for (let w = 0; w < words; w++) messages[agent * words + w] = w === word ? 1 : 0;
  }
}

/** An agent acts by the numbers from `at` on. */
function steer(world: World, agent: number, actions: JointAction, at: number): void {
  const { moves: moving, speaks, words, forceX, forceY, acceleration, messages } = world;
  let k = at;
  if (moving[agent] === 1) {
    forceX[agent] = acceleration[agent] * (clip(actions[k + 2]) - clip(actions[k + 1]));
    forceY[agent] = acceleration[agent] * (clip(actions[k + 4]) - clip(actions[k + 3]));
    k += moves;
  }
  if (speaks[agent] === 1) {
    for (let w = 0; w < words; w++) messages[agent * words + w] = clip(actions[k + w]);
  }
}

const clip = (value: number): number => (value < 0 ? 0 : value > 1 ? 1 : value);

const momentKeys = ["x", "y", "vx", "vy", "messages"] as const;

/** What keeps a moment from being one of this scenario. */
function momentProblem({ world, secrets }: Scenario, moment: Moment): string | undefined {
  const landmarks = world.entities - world.agents;
  for (const key of [...momentKeys, "secrets"] as const) {
    const expected = (key === "secrets" ? secrets : world[key]).length;
    const values = Array.from(moment[key]);
    if (values.length !== expected) return `${key} has ${values.length} entries, expected ${expected}`;
    const broken = values.find((value) => !Number.isFinite(value));
    if (broken !== undefined) return `${key} holds ${broken}, expected finite numbers`;
  }
  const wrong = Array.from(moment.secrets).find(
    (secret) => !(Number.isInteger(secret) && secret >= 0 && secret < landmarks),
  );
  return wrong === undefined ? undefined : `secrets hold ${wrong}, expected landmarks 0..${landmarks - 1}`;
}
