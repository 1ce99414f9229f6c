/** Measuring Bayesian-network joint policies: by playing, and exactly where the game is finite and small. */
import { type EnvBatch, type EnvFactory, type FiniteModel, vectorise } from "../envs/index.ts";
import { writeMasks } from "../learn/index.ts";
import {
  type BnPolicy,
  conditionalRowBuilder,
  type DagBatch,
  isLearned,
  type JointSamples,
  meanDensity,
} from "../models/index.ts";
import type { Rng } from "../random/index.ts";
import {
  enumerateJointActions,
  jointPolicyFromLogProbabilities,
  optimalValue,
  priceOfAnarchy,
} from "../tabular/index.ts";
import { endedEpisode, type Metrics, type Rivals } from "../training/index.ts";

/** DAG draws averaged over in every state where the DAG is random; evaluations then differ by about .001. */
const DAG_DRAWS = 32;

/** How much of its exploration a policy keeps while it is measured. */
export interface EvaluationMode {
  /** Learned DAGs: the likeliest in each state, or chosen under noise as in training. */
  readonly evaluationDag: "likeliest" | "noisy";
  /** Each agent's most likely action given its parents' actions, or one drawn. */
  readonly evaluationActions: "greedy" | "sampled";
}

const GREEDY: EvaluationMode = { evaluationDag: "likeliest", evaluationActions: "greedy" };

/**
 * Plays whole episodes side by side.
 *
 * @param look is shown the DAGs of all episodes at every step
 * @param rivals who plays against it, in games that leave opponents to somebody else
 * @returns `eval/return` (mean), `eval/return-deviation` (population standard deviation over episodes),
 * `eval/length`, `eval/dag-density`, and `eval/return-<side>` of every side where there are such
 */
export async function playEpisodes(
  policy: BnPolicy,
  env: EnvFactory,
  episodes: number,
  rng: Rng,
  mode: EvaluationMode = GREEDY,
  look?: (dags: DagBatch, copies: EnvBatch) => void,
  rivals?: Rivals,
): Promise<Metrics> {
  const copies = vectorise(env, episodes, rng.split("environments"), { rivals: rivals !== undefined });
  const opponents = await rivals?.against(copies);
  const { agents } = copies.spec;
  const actor = await policy.actorFor(episodes);
  const dags = policy.createDagWriter(episodes);
  const noise = mode.evaluationDag === "noisy" ? "new" : "none";
  const context = {
    scores: copies.dependency,
    observations: copies.observations,
    rng: rng.split("dag"),
    noise,
  } as const;
  const noiseRng = rng.split("noise");
  const returns = new Float64Array(episodes);
  const lengths = new Int32Array(episodes);
  const { sides = [] } = copies.spec;
  const sideReturns = new Float64Array(sides.length);
  let running = episodes;
  let density = 0;
  let steps = 0;
  actor.noise.fill(0);
  for (; running > 0; steps++) {
    actor.observations.set(copies.observations);
    if (actor.available !== undefined) writeMasks(copies, actor.available);
    await dags.draw(context, actor.dags, steps === 0 ? undefined : (b) => endedEpisode(copies, b));
    if (mode.evaluationActions === "sampled") noiseRng.fillGumbel(actor.noise);
    look?.(actor.dags, copies);
    density += meanDensity(actor.dags.parents, episodes, agents);
    await actor.run();
    await opponents?.choose();
    copies.step(actor.actions, opponents?.actions);
    for (let b = 0; b < episodes; b++) {
      if (lengths[b] > 0 || !endedEpisode(copies, b)) continue;
      returns[b] = copies.episodeReturns[b];
      lengths[b] = copies.episodeLengths[b];
      for (const k of sides.keys()) sideReturns[k] += copies.sideReturns![b * sides.length + k];
      running--;
    }
  }
  const mean = (values: ArrayLike<number>): number =>
    Array.from(values).reduce((total, value) => total + value, 0) / values.length;
  const meanReturn = mean(returns);
  return {
    "eval/return": meanReturn,
    "eval/return-deviation": Math.sqrt(mean(returns.map((value) => (value - meanReturn) ** 2))),
    "eval/length": mean(lengths),
    "eval/dag-density": density / steps,
    ...Object.fromEntries(sides.map((side, k) => [`eval/return-${side}`, sideReturns[k] / episodes])),
  };
}

/**
 * The DAGs that a policy's source gives samples.
 *
 * @param samples.observations `[R, N, O]`
 * @param samples.scores `[R, N, N]`, where the source reads them
 */
export async function dagsOf(
  policy: BnPolicy,
  samples: { readonly observations: Float32Array; readonly scores?: Float32Array },
  rng: Rng,
  { evaluationDag }: Pick<EvaluationMode, "evaluationDag"> = GREEDY,
): Promise<DagBatch> {
  const { agents, observationSize } = policy.actor.options;
  const count = samples.observations.length / (agents * observationSize);
  const out = { parents: new Float32Array(count * agents ** 2), order: new Int32Array(count * agents) };
  const noise = evaluationDag === "noisy" ? "new" : "none";
  await policy.createDagWriter(count).draw({ ...samples, rng, noise }, out);
  return out;
}

/**
 * What agents would do, given their observations and what their parents have chosen: log-probabilities of all actions,
 * `[R, N, A]`.
 */
export async function conditionalsOf(policy: BnPolicy, samples: JointSamples): Promise<Float32Array> {
  const { agents, actions } = policy.actor.options;
  const rows = conditionalRowBuilder(policy.actor, samples.actions.length / agents)(samples);
  const table = await policy.logProbabilities(rows);
  const out = new Float32Array(samples.actions.length * actions);
  for (let k = 0; k < samples.actions.length; k++) {
    const start = rows.rowOf[k] * actions;
    out.set(table.subarray(start, start + actions), k * actions);
  }
  return out;
}

/** Edges that a policy was seen to use, and in how many of the states looked at. */
export interface SeenEdges {
  readonly edges: number;
  readonly statesWithEdges: number;
  readonly states: number;
}

/**
 * Looks for edges in every state of a finite game, otherwise in the states of whole episodes that are played as
 * evaluations are. A policy without any plays these episodes alike with or without its DAGs.
 */
export async function seenEdges(
  policy: BnPolicy,
  env: EnvFactory,
  episodes: number,
  rng: Rng,
  mode: EvaluationMode = GREEDY,
  rivals?: Rivals,
): Promise<SeenEdges> {
  const { agents } = policy.actor.options;
  const seen = { edges: 0, statesWithEdges: 0, states: 0 };
  const look = (parents: Float32Array): void => {
    for (let at = 0; at < parents.length; at += agents ** 2) {
      let edges = 0;
      for (let k = 0; k < agents ** 2; k++) edges += parents[at + k];
      seen.edges += edges;
      seen.statesWithEdges += edges > 0 ? 1 : 0;
      seen.states++;
    }
  };
  const model = env().model?.();
  if (model !== undefined) {
    const { observations, dependency: scores } = model;
    look((await dagsOf(policy, { observations, scores }, rng, mode)).parents);
  }
  // Where DAGs are random, one look at each state is not enough.
  if (model === undefined || policy.dagSource.randomness !== "none") {
    await playEpisodes(policy, env, episodes, rng, mode, ({ parents }) => look(parents), rivals);
  }
  return seen;
}

/**
 * The joint policy's exact price of anarchy `V(mu) / V*(mu)` on a finite game (Context-aware BN, Section 6.1), for the
 * policy as it explores. Where DAGs are random the policy is the mixture over draws; learned ones are the likeliest
 * unless `evaluationDag` says otherwise.
 *
 * A DAG kept for an episode counts as drawn at every step.
 *
 * @returns a function of a stream for the DAG draws; wait for one call to end before the next
 */
export function exactPriceOfAnarchy(
  policy: BnPolicy,
  game: FiniteModel,
  { evaluationDag }: Pick<EvaluationMode, "evaluationDag"> = GREEDY,
): (rng: Rng) => Promise<number> {
  const { agents, observationSize, actions } = policy.actor.options;
  const jointActions = enumerateJointActions(game.actions);
  const count = jointActions.length / agents;
  const questions = game.states * count;
  const optimum = optimalValue(game).value;

  // Every state is asked about every joint action: what would each agent answer, given its parents' part of it?
  const observations = new Float32Array(questions * agents * observationSize);
  const asked = new Int32Array(questions * agents);
  const perState = agents * observationSize;
  for (let s = 0; s < game.states; s++) {
    const seen = game.observations.subarray(s * perState, (s + 1) * perState);
    for (let a = 0; a < count; a++) observations.set(seen, (s * count + a) * perState);
    asked.set(jointActions, s * count * agents);
  }
  const available = policy.masked ? paddingMasks(game.actions, actions, questions) : undefined;
  const parents = new Float32Array(questions * agents * agents);
  const drawn = {
    parents: new Float32Array(game.states * agents * agents),
    order: new Int32Array(game.states * agents),
  };
  const buildRows = conditionalRowBuilder(policy.actor, questions);
  const dags = policy.createDagWriter(game.states);
  const noise = evaluationDag === "noisy" ? "new" : "none";
  const random = isLearned(policy.dagSource) ? noise === "new" : policy.dagSource.randomness !== "none";
  const draws = random ? DAG_DRAWS : 1;

  return async (rng) => {
    const jointPolicy = new Float64Array(questions);
    const answers = new Float32Array(questions * agents);
    for (let draw = 0; draw < draws; draw++) {
      await dags.draw({ scores: game.dependency, observations: game.observations, rng, noise }, drawn);
      for (let s = 0; s < game.states; s++) {
        const dag = drawn.parents.subarray(s * agents * agents, (s + 1) * agents * agents);
        for (let a = 0; a < count; a++) parents.set(dag, (s * count + a) * agents * agents);
      }
      const rows = buildRows({ observations, parents, actions: asked, available });
      const table = await policy.logProbabilities(rows);
      for (let k = 0; k < answers.length; k++) answers[k] = table[rows.rowOf[k] * actions + asked[k]];
      const joint = jointPolicyFromLogProbabilities(answers, game.states, count, agents);
      for (let k = 0; k < questions; k++) jointPolicy[k] += joint[k] / draws;
    }
    return priceOfAnarchy(game, jointPolicy, optimum);
  };
}

/** Masks `[R, N, A]` that only tell real actions from padding. */
function paddingMasks(counts: readonly number[], actions: number, samples: number): Float32Array {
  const masks = new Float32Array(samples * counts.length * actions);
  for (let k = 0; k < samples * counts.length; k++) {
    masks.fill(1, k * actions, k * actions + counts[k % counts.length]);
  }
  return masks;
}
