import { type Learner, mappo } from "corral/algorithms";
import { configureEnv, type EnvFactory, environments, parseConfig } from "corral/envs";
import { createRng } from "corral/random";
import type { Clock } from "./stopwatch.ts";

/** Copies stepped together in training that is timed. */
export const ENVIRONMENTS = 32;

/** Milliseconds of the parts of an iteration, and the different decisions that its update scored. */
export interface TimedIteration {
  readonly rollout: number;
  readonly update: number;
  readonly decisions: number;
}

export interface TimedLearner {
  readonly learner: Learner;
  readonly agents: number;
  iterate(): Promise<TimedIteration>;
}

/** BN-MAPPO whose iterations are timed: the clock is also read when the rollout's last environment step is done. */
export async function timedLearner(
  env: keyof typeof environments,
  settings: Readonly<Record<string, unknown>>,
  dag: string,
  now: Clock,
): Promise<TimedLearner> {
  const { factory } = configureEnv(environments[env] as never, settings);
  const rollout = { stepsLeft: 0, finished: 0 };
  const watched: EnvFactory = () => {
    const copy = factory();
    return {
      ...copy,
      step(actions) {
        const outcome = copy.step(actions);
        if (--rollout.stepsLeft === 0) rollout.finished = now();
        return outcome;
      },
    };
  };
  const config = parseConfig("mappo", mappo.config, { dag, environments: ENVIRONMENTS, epochs: 5 });
  const rng = createRng("bench").split("train");
  const learner = await mappo.create({ env: watched, config, rng, totalSteps: 1e6 });
  const iterate = async (): Promise<TimedIteration> => {
    rollout.stepsLeft = learner.stepsPerIteration;
    const start = now();
    const metrics = await learner.iterate();
    const end = now();
    return {
      rollout: rollout.finished - start,
      update: end - rollout.finished,
      decisions: metrics["train/distinct-decisions"],
    };
  };
  return { learner, iterate, agents: factory().spec.agents };
}
