import { type EnvFactory, vectorise } from "../envs/index.ts";
import { InputError } from "../errors.ts";
import { actionRows, asColumns, joinRows, observationRows, selectRows } from "../models/index.ts";
import type { Rng } from "../random/index.ts";
import type { CouplingGraphs } from "../structure/index.ts";
import {
  compile,
  concat,
  constant,
  type Engine,
  type Expr,
  float32,
  gather,
  gradients,
  matMul,
  mul,
  pack,
  stopGradient,
  sum,
  tanh,
  transpose,
  unpack,
} from "../tensor/index.ts";
import { type ActorsNow, criticActions, jointActions, type Learner } from "../training/index.ts";
import { type MastacConfig, type MastacTeam, mastacTeam } from "./mastac.ts";

/**
 * Total variances, traces of the covariance over minibatches, of two estimators of each agent's policy gradient. They differ
 * in the value that the score is weighted with.
 */
export interface GradientVariance {
  /** The sum of all agents' critics, `[N]`. */
  readonly whole: readonly number[];
  /** The sum of the critics that the agent's action matters to, `[N]`. */
  readonly decomposed: readonly number[];
}

/** A team that MAStAC trained. */
export interface TrainedTeam {
  readonly env: EnvFactory;
  readonly config: MastacConfig;
  /** As `Learner.parameters` gives them. */
  readonly parameters: ReturnType<Learner["parameters"]>;
}

export interface GradientVarianceOptions {
  /** Minibatches, at least two. */
  readonly batches: number;
  /** Moments of play in each. */
  readonly batchSize: number;
}

/**
 * The variances of MABN's theorem 4.2 for a trained team: its critics stand for values, the policy it explores with for the
 * stochastic one, the moments of exploring play for the distribution of states.
 *
 * With `m(o)` what noise is added to and `e` standard normal, an agent plays `m(o) + deviation e`, so that its score is
 * `(e / deviation) dm/dtheta`; the gradient of a minibatch is the mean of score times value over its moments, which are drawn
 * without regard to the episodes they come from.
 *
 * @throws InputError when the noise is not normal, there is none, or critics do not sum to the team's value
 */
export async function measureGradientVariance(
  engine: Engine,
  { env, config, parameters }: TrainedTeam,
  { batches, batchSize }: GradientVarianceOptions,
  rng: Rng,
): Promise<GradientVariance> {
  const { spec, couplings } = env();
  const team = mastacTeam(spec, couplings?.() as CouplingGraphs, config, rng.split("initialise"));
  expectMeasurable(team, config);
  write(team, parameters);
  const moments = await play(engine, env, team, batches * batchSize, rng.split("play"));
  const program = await gradientProgram(engine, team, batchSize);
  try {
    const order = rng.split("minibatches").permutation(moments.count);
    const inputs: Readonly<Record<string, Float32Array>> = program.inputs;
    const found = { whole: spreadOf(team), decomposed: spreadOf(team) };
    for (let batch = 0; batch < batches; batch++) {
      for (const [name, { width, values }] of Object.entries(moments.columns)) {
        for (let k = 0; k < batchSize; k++) {
          const from = order[batch * batchSize + k] * width;
          inputs[name].set(values.subarray(from, from + width), k * width);
        }
      }
      await program.run();
      for (const [name, spread] of Object.entries(found)) {
        team.turns.forEach((_, t) => {
          spread.add(t, program.results[`${name} ${t}`] as Float32Array);
        });
      }
    }
    return { whole: found.whole.totals(), decomposed: found.decomposed.totals() };
  } finally {
    await program.dispose();
  }
}

function expectMeasurable({ head }: MastacTeam, { critics }: MastacConfig): void {
  if (head.noise !== "normal") {
    throw new InputError(`mastac.head: got ${head.kind}, expected normal noise (box or simplex-gauss)`);
  }
  if (head.deviation === 0) throw new InputError("mastac.deviation: got 0, expected a team that explores");
  if (critics === "undecomposed-sum") {
    throw new InputError(
      "mastac.critics: those of undecomposed-sum are sums already, expected decomposed or undecomposed",
    );
  }
}

/** Gives a team the parameters of a learner. */
function write({ turns }: MastacTeam, parameters: TrainedTeam["parameters"]): void {
  for (const { vector, named } of turns.flatMap(({ actor, critic }) => [actor, critic])) {
    named.layout.parameters.forEach(({ name }, k) => {
      (vector.values as Float32Array).set(parameters[name].data, named.layout.offsets[k]);
    });
  }
}

/** Numbers of each moment, one moment after the other. */
interface Column {
  readonly width: number;
  readonly values: Float32Array;
}

interface Moments {
  readonly count: number;
  readonly columns: Readonly<Record<"observations" | "states" | "noise", Column>>;
}

/** At least `least` moments of whole episodes, with the noise that is played with. */
async function play(
  engine: Engine,
  env: EnvFactory,
  team: MastacTeam,
  least: number,
  rng: Rng,
): Promise<Moments> {
  const { spec, head, turns } = team;
  const copies = Math.ceil(least / spec.horizon);
  const batch = vectorise(env, copies, rng.split("environments"));
  const width = actionRows(spec).reduce((total, rows) => total + rows.length, 0);
  const program = await compile(engine, {
    name: "mastac: explore",
    inputs: {
      observations: float32(copies, spec.agents, spec.observationSize),
      noise: float32(copies, width),
    },
    variables: Object.fromEntries(turns.map(({ actor: { vector } }, t) => [`actor ${t}`, vector])),
    build(leaves) {
      const actors = actorsNow(team, leaves as Readonly<Record<string, Expr>>);
      const [observed, noise] = [leaves.observations, leaves.noise].map(asColumns);
      return { results: { actions: transpose(jointActions(spec, head, actors, observed, noise), [1, 0]) } };
    },
  });
  const { observations, noise } = program.inputs;
  const sources = { observations: batch.observations, states: batch.states, noise };
  const columns = Object.fromEntries(
    Object.entries(sources).map(([name, { length }]) => [
      name,
      { width: length / copies, values: new Float32Array(length * spec.horizon) },
    ]),
  ) as unknown as Moments["columns"];
  const stream = rng.split("noise");
  try {
    for (let step = 0; step < spec.horizon; step++) {
      observations.set(batch.observations);
      stream.fillNormal(noise);
      await program.run();
      for (const [name, { values }] of Object.entries(columns)) {
        const source = sources[name as keyof typeof sources];
        values.set(source, step * source.length);
      }
      batch.step(program.results.actions as Float32Array);
    }
  } finally {
    await program.dispose();
  }
  return { count: copies * spec.horizon, columns };
}

/** Gradients of a minibatch for both values and each turn, laid out as the turn's actors are. */
function gradientProgram(engine: Engine, team: MastacTeam, batchSize: number) {
  const { spec, head, turns, scopes, told } = team;
  const rows = actionRows(spec);
  const width = rows.reduce((total, own) => total + own.length, 0);
  const ownerOf = rows.flatMap((own, agent) => own.map(() => agent));
  const incidence = (matters: (critic: number, agent: number) => boolean): Expr => {
    const entries = ownerOf.map((agent) => scopes.map((_, critic) => (matters(critic, agent) ? 1 : 0)));
    return constant("float32", [width, spec.agents], entries.flat());
  };
  const sums = {
    whole: incidence(() => true),
    decomposed: incidence((critic, agent) => scopes[critic].guided.includes(agent)),
  };
  return compile(engine, {
    name: "mastac: score gradients",
    inputs: {
      observations: float32(batchSize, spec.agents, spec.observationSize),
      states: float32(batchSize, spec.stateSize),
      noise: float32(batchSize, width),
    },
    variables: Object.fromEntries(
      turns.flatMap(({ actor, critic }, t) => [
        [`actor ${t}`, actor.vector],
        [`critic ${t}`, critic.vector],
      ]),
    ),
    build(inputs) {
      const leaves = inputs as Readonly<Record<string, Expr>>;
      const [observed, states, noise] = [leaves.observations, leaves.states, leaves.noise].map(asColumns);
      const actors = actorsNow(team, leaves);
      const actions = jointActions(spec, head, actors, observed, noise);
      const table = concat([states, criticActions(spec, actions)], 0);
      const values = concat(
        turns.map(({ members, critic: { networks, layout } }, t) => {
          const places: number[][] = [];
          for (const [place, agent] of members.entries()) places[agent] = [place];
          const seen = networks.groups.map(({ agents }) =>
            selectRows(
              table,
              agents.map((agent) => told[agent]),
            ),
          );
          return joinRows(
            networks.groups,
            networks.apply(unpack(leaves[`critic ${t}`], layout), seen),
            places,
          );
        }),
        0,
      );
      // One turn's agents after the other's; critics in increasing order.
      const order = turns.flatMap(({ members }) => members);
      const places = order.map((_, critic) => order.indexOf(critic));
      const ofCritics = gather(values, constant("int32", [places.length], places));
      const means = joinRows(
        actors.flatMap(({ networks }) => networks.groups),
        actors.flatMap(({ networks, views }) => meansOf(team, networks, views, observed)),
        rows,
      );
      const scored = mul(noise, 1 / (head.deviation * batchSize));
      const results: Record<string, Expr> = {};
      for (const [name, incidences] of Object.entries(sums)) {
        const weights = stopGradient(mul(matMul(incidences, ofCritics), scored));
        turns.forEach(({ actor: { layout } }, t) => {
          const { views } = actors[t];
          const parts = gradients(
            sum(mul(weights, means)),
            layout.parameters.map((parameter) => views[parameter.name]),
          );
          results[`${name} ${t}`] = pack(parts);
        });
      }
      return { results };
    },
  });
}

/** What noise is added to, `[G, A, B]` of each group. */
function meansOf(
  { spec, head }: MastacTeam,
  networks: ActorsNow["networks"],
  views: ActorsNow["views"],
  observations: Expr,
): Expr[] {
  const observed = observationRows(spec);
  const inputs = networks.groups.map(({ agents }) =>
    selectRows(
      observations,
      agents.map((agent) => observed[agent]),
    ),
  );
  return networks.apply(views, inputs).map((last) => (head.kind === "box" ? tanh(last) : last));
}

const actorsNow = ({ turns }: MastacTeam, leaves: Readonly<Record<string, Expr>>): ActorsNow[] =>
  turns.map(({ actor: { networks, layout } }, t) => ({
    networks,
    views: unpack(leaves[`actor ${t}`], layout),
  }));

/** Sums over minibatches of each parameter's gradient, and of its square. */
function spreadOf({ spec, turns }: MastacTeam) {
  const moments = turns.map(({ actor: { layout } }) => ({
    count: 0,
    mean: new Float64Array(layout.size),
    squares: new Float64Array(layout.size),
  }));
  return {
    /** Welford's update. */
    add(turn: number, gradient: Float32Array) {
      const found = moments[turn];
      found.count++;
      for (let k = 0; k < gradient.length; k++) {
        const apart = gradient[k] - found.mean[k];
        found.mean[k] += apart / found.count;
        found.squares[k] += apart * (gradient[k] - found.mean[k]);
      }
    },
    /** Unbiased variances, summed over the parameters of each agent, `[N]`. */
    totals(): number[] {
      const totals = new Array<number>(spec.agents).fill(0);
      turns.forEach(({ actor: { named } }, t) => {
        const { count, squares } = moments[t];
        named.layout.parameters.forEach(({ name }, index) => {
          const from = named.layout.offsets[index];
          const to = named.layout.offsets[index + 1] ?? named.layout.size;
          const agent = Number(name.split("/")[1]);
          for (let k = from; k < to; k++) totals[agent] += squares[k] / (count - 1);
        });
      });
      return totals;
    },
  };
}
