/** What the DAGs of a Bayesian-network policy are like in the states it meets (Context-aware BN, Section 7.4.4). */
import { type EnvBatch, type EnvFactory, vectorise } from "../envs/index.ts";
import { InputError } from "../errors.ts";
import { writeMasks } from "../learn/index.ts";
import { type BnPolicy, type DagBatch, isLearned } from "../models/index.ts";
import type { Rng } from "../random/index.ts";
import { type DagRequest, type DagSamples, endedEpisode, type Metrics } from "../training/index.ts";
import { conditionalsOf } from "./evaluate-bn-policy.ts";

/** States in which distributions with and without parents are compared: enough to know their divergence to some per cent. */
const COMPARED = 256;

/** Whether a policy's DAGs are the same in all states. */
export const hasConstantDag = ({ dagSource }: BnPolicy): boolean =>
  !isLearned(dagSource) && dagSource.randomness === "none" && !dagSource.readsScores;

/** Watches the DAGs of an evaluation. */
interface DagWatcher {
  /** To be shown every moment of play. */
  look(dags: DagBatch, copies: EnvBatch): void;
  /**
   * What was seen:
   * - `eval/multi-modality`: `E_s KL(pi^i(.|o, a_P) || pi^i(.|o, 0))` in nats, mean over agents and, as `.../agent-0`, of
   *   each; parents' actions are drawn from the policy. It is 0 where agents have no parents.
   * - `eval/dag-visibility`: share of edges whose parent the child sees, the percentage of Figure 7; without edges there
   *   is none. `eval/dag-visible-density`: these edges over `N (N - 1) / 2`, which published code has in its place. Both
   *   where the environment says who sees whom.
   * - `eval/parent-distance`, and of each agent: mean distance of an agent from its parents, where the environment says
   *   where agents stand; of those it sees, where it says that too. Without any parents there is none.
   */
  metrics(): Promise<Metrics>;
}

/** @param rng decides the parents' actions; other evaluations draw nothing from it */
export function watchDags(policy: BnPolicy, horizon: number, rng: Rng): DagWatcher {
  const compared = comparedMoments(policy, horizon);
  const { agents } = policy.actor.options;
  const pairs = agents * agents;
  const distance = new Float64Array(agents);
  const parentsMeasured = new Float64Array(agents);
  let [edges, visibleEdges, samples] = [0, 0, 0];
  let visible: Uint8Array | undefined;
  let positions: Float32Array | undefined;

  return {
    look(dags, copies) {
      compared.look(dags, copies);
      if (copies.visibility !== undefined) {
        visible ??= new Uint8Array(copies.size * pairs);
        copies.visibility(visible);
      }
      if (copies.positions !== undefined) {
        positions ??= new Float32Array(copies.size * 2 * agents);
        copies.positions(positions);
      }
      if (visible === undefined && positions === undefined) return;
      samples += copies.size;
      for (let b = 0; b < copies.size; b++) {
        for (let i = 0; i < agents; i++) {
          for (let j = 0; j < agents; j++) {
            const pair = b * pairs + i * agents + j;
            if (dags.parents[pair] === 0) continue;
            edges++;
            if (visible?.[pair] === 0) continue;
            visibleEdges++;
            if (positions === undefined) continue;
            const [child, parent] = [2 * (b * agents + i), 2 * (b * agents + j)];
            distance[i] += Math.hypot(
              positions[child] - positions[parent],
              positions[child + 1] - positions[parent + 1],
            );
            parentsMeasured[i]++;
          }
        }
      }
    },
    async metrics() {
      const all: Record<string, number> = {};
      const divergence = await compared.divergence(rng);
      all["eval/multi-modality"] = divergence.reduce((sum, value) => sum + value, 0) / agents;
      divergence.forEach((value, i) => {
        all[`eval/multi-modality/agent-${i}`] = value;
      });
      if (visible !== undefined) {
        all["eval/dag-visible-density"] = (2 * visibleEdges) / (samples * agents * (agents - 1));
        if (edges > 0) all["eval/dag-visibility"] = visibleEdges / edges;
      }
      if (positions !== undefined && visibleEdges > 0) {
        all["eval/parent-distance"] = distance.reduce((sum, value) => sum + value, 0) / visibleEdges;
        for (let i = 0; i < agents; i++) {
          if (parentsMeasured[i] > 0)
            all[`eval/parent-distance/agent-${i}`] = distance[i] / parentsMeasured[i];
        }
      }
      return all;
    },
  };
}

/** Keeps about `COMPARED` moments of play, spread over copies and time. */
function comparedMoments(policy: BnPolicy, horizon: number) {
  const { agents, observationSize, actions } = policy.actor.options;
  const perStep = Math.max(1, Math.floor(COMPARED / horizon));
  const every = Math.max(1, Math.ceil(horizon / COMPARED));
  // Those with their parents, then the same ones without.
  const observations = new Float32Array(2 * COMPARED * agents * observationSize);
  const parents = new Float32Array(2 * COMPARED * agents * agents);
  const order = new Int32Array(COMPARED * agents);
  const available = policy.masked ? new Float32Array(2 * COMPARED * agents * actions) : undefined;
  let masks: Float32Array | undefined;
  let kept = 0;
  let step = 0;

  return {
    look(dags: DagBatch, copies: EnvBatch): void {
      const now = step++;
      if (now % every !== 0) return;
      if (policy.masked) {
        masks ??= new Float32Array(copies.size * agents * actions);
        writeMasks(copies, masks);
      }
      for (let k = 0; k < Math.min(perStep, copies.size) && kept < COMPARED; k++) {
        const b = (now * perStep + k) % copies.size;
        const rowOf = <Values extends Float32Array | Int32Array>(values: Values, width: number) =>
          values.subarray(b * width, (b + 1) * width);
        observations.set(
          rowOf(copies.observations, agents * observationSize),
          kept * agents * observationSize,
        );
        parents.set(rowOf(dags.parents, agents * agents), kept * agents * agents);
        order.set(rowOf(dags.order, agents), kept * agents);
        if (masks !== undefined) available?.set(rowOf(masks, agents * actions), kept * agents * actions);
        kept++;
      }
    },
    /** Mean divergence of each agent, `[N]`. */
    async divergence(rng: Rng): Promise<number[]> {
      // Programs of one size serve all evaluations: what is left of it repeats the first moment and is not counted.
      for (let r = kept; r < COMPARED; r++) {
        observations.copyWithin(r * agents * observationSize, 0, agents * observationSize);
        parents.copyWithin(r * agents * agents, 0, agents * agents);
        order.copyWithin(r * agents, 0, agents);
        available?.copyWithin(r * agents * actions, 0, agents * actions);
      }
      observations.copyWithin(observations.length / 2, 0, observations.length / 2);
      available?.copyWithin(available.length / 2, 0, available.length / 2);
      const actor = await policy.actorFor(COMPARED);
      actor.observations.set(observations.subarray(0, observations.length / 2));
      actor.dags.parents.set(parents.subarray(0, parents.length / 2));
      actor.dags.order.set(order);
      actor.available?.set(available!.subarray(0, available!.length / 2));
      rng.fillGumbel(actor.noise);
      await actor.run();
      const drawn = new Int32Array(2 * COMPARED * agents);
      drawn.set(actor.actions);
      drawn.set(actor.actions, COMPARED * agents);
      // Asked together, so that an agent without parents gets one answer to both questions.
      const log = await conditionalsOf(policy, { observations, parents, actions: drawn, available });
      const alone = COMPARED * agents * actions;
      return Array.from({ length: agents }, (_, i) => {
        let total = 0;
        for (let r = 0; r < kept; r++) {
          for (let a = 0; a < actions; a++) {
            const at = (r * agents + i) * actions + a;
            const probability = Math.exp(log[at]);
            if (probability > 0) total += probability * (log[at] - log[alone + at]);
          }
        }
        return total / kept;
      });
    },
  };
}

// ── DAGs in single states ─────────────────────────────────────────────────────────────────────────────────────────

/** What agents know in `R` moments, from which DAGs and actions follow. */
interface Moments {
  readonly spec: EnvBatch["spec"];
  /** `R`. */
  readonly size: number;
  readonly observations: Float32Array;
  readonly states: Float32Array;
  readonly available?: Uint8Array;
  readonly dependency?: Float32Array;
  positions?(out: Float32Array): void;
}

/**
 * The DAGs of a policy and the likeliest actions under them, in given states or in those of whole episodes of play.
 *
 * @throws InputError when the environment cannot be put into given states, or has no such state
 */
export async function sampleDags(
  policy: BnPolicy,
  env: EnvFactory,
  { states, samples, noisy }: DagRequest,
  rng: Rng,
): Promise<DagSamples> {
  if (!Number.isInteger(samples) || samples < 1) {
    throw new InputError(`samples: ${samples}, expected an integer of at least 1`);
  }
  const { agents } = policy.actor.options;
  const { dagSource } = policy;
  const random = isLearned(dagSource) ? noisy : dagSource.randomness !== "none";
  const given = states?.flatMap((state) => new Array<readonly number[]>(random ? samples : 1).fill(state));
  const { horizon } = env().spec;
  const size = given?.length ?? Math.ceil(samples / horizon);
  const actor = await policy.createActor(size);
  const dags = policy.createDagWriter(size);
  const dagRng = rng.split("dag");
  const seen: Omit<DagSamples, "source" | "agents">[] = [];
  /** Lets agents act; the rewards are still to come. */
  const act = async (moments: Moments, fresh?: (copy: number) => boolean): Promise<Float64Array> => {
    const { observations, dependency: scores } = moments;
    actor.observations.set(observations);
    if (actor.available !== undefined) writeMasks(moments, actor.available);
    const context = { scores, observations, rng: dagRng, noise: noisy ? "new" : "none" } as const;
    await dags.draw(context, actor.dags, fresh);
    actor.noise.fill(0);
    await actor.run();
    const positions = moments.positions && new Float32Array(size * agents * 2);
    moments.positions?.(positions!);
    const rewards = new Float64Array(size);
    seen.push({
      count: size,
      states: moments.states.slice(),
      parents: actor.dags.parents.slice(),
      order: actor.dags.order.slice(),
      actions: actor.actions.slice(),
      rewards,
      ...(positions === undefined ? {} : { positions }),
    });
    return rewards;
  };

  try {
    if (given === undefined) {
      const copies = vectorise(env, size, rng.split("environments"));
      for (let step = 0; step < horizon; step++) {
        const rewards = await act(copies, step === 0 ? undefined : (b) => endedEpisode(copies, b));
        copies.step(actor.actions);
        rewards.set(copies.rewards);
      }
    } else {
      const { moments, step } = placed(env, given, rng.split("environments"));
      const rewards = await act(moments);
      for (let r = 0; r < size; r++) rewards[r] = step(r, actor.actions);
    }
  } finally {
    await actor.dispose();
  }
  const count = given?.length ?? samples;
  return { source: dagSource.name, agents, ...evenly(seen, count) };
}

/** Copies of an environment in given states. */
function placed(env: EnvFactory, states: readonly (readonly number[])[], rng: Rng) {
  const copies = states.map((state, r) => {
    const copy = env();
    if (copy.setState === undefined) {
      throw new InputError(`${copy.spec.id} cannot be put into a given state, expected states of play`);
    }
    copy.reset(rng.split(String(r)));
    copy.setState(state);
    return copy;
  });
  const { spec } = copies[0];
  const { agents } = spec;
  const size = copies.length;
  const masks = spec.actions.reduce((sum, space) => sum + (space.kind === "discrete" ? space.n : 0), 0);
  const has = (name: "available" | "dependency") => copies[0][name] !== undefined;
  const moments: Moments = {
    spec,
    size,
    observations: new Float32Array(size * agents * spec.observationSize),
    states: new Float32Array(size * spec.stateSize),
    ...(has("available") ? { available: new Uint8Array(size * masks) } : {}),
    ...(has("dependency") ? { dependency: new Float32Array(size * agents * agents) } : {}),
    ...(copies[0].positions === undefined
      ? {}
      : {
          positions: (out) => {
            for (const [r, copy] of copies.entries()) copy.positions?.(out, r * 2 * agents);
          },
        }),
  };
  for (const [r, copy] of copies.entries()) {
    copy.observe(moments.observations, r * agents * spec.observationSize);
    copy.state(moments.states, r * spec.stateSize);
    if (moments.available !== undefined) copy.available?.(moments.available, r * masks);
    if (moments.dependency !== undefined) copy.dependency?.(moments.dependency, r * agents * agents);
  }
  return {
    moments,
    step: (r: number, actions: Int32Array): number =>
      copies[r].step(actions.subarray(r * agents, (r + 1) * agents)).reward,
  };
}

/** So many of all moments, at even distances. */
function evenly(
  parts: readonly Omit<DagSamples, "source" | "agents">[],
  count: number,
): Omit<DagSamples, "source" | "agents"> {
  const size = parts[0].count;
  const total = parts.length * size;
  const taken = Array.from({ length: count }, (_, k) => Math.floor(((k + 0.5) * total) / count));
  const pick = <Values extends Float32Array | Float64Array | Int32Array>(
    of: (part: (typeof parts)[number]) => Values,
  ) => {
    const width = of(parts[0]).length / size;
    const out = of(parts[0]).constructor as new (length: number) => Values;
    const picked = new out(count * width);
    for (const [k, n] of taken.entries()) {
      const from = (n % size) * width;
      picked.set(of(parts[Math.floor(n / size)]).subarray(from, from + width), k * width);
    }
    return picked;
  };
  return {
    count,
    states: pick(({ states }) => states),
    parents: pick(({ parents }) => parents),
    order: pick(({ order }) => order),
    actions: pick(({ actions }) => actions),
    rewards: pick(({ rewards }) => rewards),
    ...(parts[0].positions === undefined ? {} : { positions: pick(({ positions }) => positions!) }),
  };
}
