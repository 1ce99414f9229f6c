import {
  configureEnv,
  drawActions,
  type EnvDefinition,
  type EnvironmentName,
  environments,
  jointActionSize,
  maskSize,
  vectorise,
} from "corral/envs";
import { createRng } from "corral/random";
import { type Clock, median } from "./stopwatch.ts";

/** Speed of one environment with its default settings. */
export interface EnvRow {
  readonly env: string;
  readonly agents: number;
  /** Copies stepped together. */
  readonly copies: number;
  /** Steps per CPU second, summed over the copies, under random actions; observations, states and resets included. */
  readonly stepsPerSecond: number;
  /** The public implementation, where its speed is known. */
  readonly reference?: { readonly stepsPerSecond: number; readonly ratio: number };
}

/**
 * Steps per CPU second of the particle environments in Python (MPE2 1.1.0, parallel API, random discrete actions), as stated for a
 * machine of this kind: they are not measured here.
 */
const STATED: Partial<Record<EnvironmentName, number>> = {
  "mpe/reference": 9200,
  "mpe/push": 9200,
  "mpe/world-comm": 570,
  "mpe/speaker-listener": 12_100,
  "mpe/crypto": 8100,
  "mpe/tag": 2800,
  "mpe/spread": 4200,
  "mpe/adversary": 6500,
};

const COPIES = [1, 32, 64] as const;
/** Joint actions prepared beforehand and played in turn, so that drawing them is not timed. */
const PREPARED = 64;

/**
 * Times environments alone, one copy and many stepped together.
 *
 * @param now milliseconds of CPU time, of which other programs take nothing away
 * @param turn milliseconds one of the five chunks of a measurement should last
 */
export function benchEnvs({
  now,
  onRow,
  turn = 200,
}: {
  readonly now: Clock;
  readonly onRow?: (row: EnvRow) => void;
  readonly turn?: number;
}): readonly EnvRow[] {
  const rows: EnvRow[] = [];
  // biome-ignore lint/suspicious/noExplicitAny: each table entry has a config type of its own.
  for (const [env, definition] of Object.entries(environments) as [EnvironmentName, EnvDefinition<any>][]) {
    const stated = STATED[env];
    for (const copies of COPIES) {
      const { step, agents } = randomPlay(definition, {}, copies);
      const stepsPerSecond = copies * callsPerSecond(now, step, turn);
      const row = {
        env,
        agents,
        copies,
        stepsPerSecond,
        ...(stated && { reference: { stepsPerSecond: stated, ratio: stepsPerSecond / stated } }),
      };
      rows.push(row);
      onRow?.(row);
    }
  }
  return rows;
}

/**
 * A batch of an environment that plays prepared random actions; where actions can be unavailable, each is drawn from
 * those that are, as part of the step.
 */
export function randomPlay(
  // biome-ignore lint/suspicious/noExplicitAny: the definition checks its own settings.
  definition: EnvDefinition<any>,
  settings: Readonly<Record<string, unknown>>,
  copies: number,
): { readonly agents: number; step(): void } {
  const rng = createRng("bench").split(definition.name);
  const batch = vectorise(configureEnv(definition, settings).factory, copies, rng.split("environments"));
  const { spec, available } = batch;
  const ArrayType = spec.actions.every(({ kind }) => kind === "discrete") ? Int32Array : Float32Array;
  const size = jointActionSize(spec);
  const masks = maskSize(spec);
  const drawing = rng.split("actions");
  const draw = (out: Int32Array | Float32Array): Int32Array | Float32Array => {
    for (let b = 0; b < copies; b++) {
      const legal = available?.subarray(b * masks, (b + 1) * masks);
      drawActions(spec, drawing, out.subarray(b * size, (b + 1) * size), legal);
    }
    return out;
  };
  const prepared = Array.from({ length: PREPARED }, () => draw(new ArrayType(copies * size)));
  let next = 0;
  return {
    agents: spec.agents,
    step() {
      const actions = prepared[next];
      batch.step(available === undefined ? actions : draw(actions));
      next = (next + 1) % PREPARED;
    },
  };
}

function callsPerSecond(now: Clock, call: () => void, turn: number): number {
  const rates: number[] = [];
  // The first chunk warms up.
  for (let chunk = 0; chunk < 6; chunk++) {
    const start = now();
    let calls = 0;
    let elapsed = 0;
    while (elapsed < turn) {
      for (let k = 0; k < PREPARED; k++) call();
      calls += PREPARED;
      elapsed = now() - start;
    }
    rates.push((1000 * calls) / elapsed);
  }
  return median(rates.slice(1));
}
