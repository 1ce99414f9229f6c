import { z } from "zod";
import { couplingGraphs } from "../structure/index.ts";
import { defineEnv } from "./definition.ts";
import type { Env, EnvSpec, SceneShape, Snapshot } from "./env.ts";
import { createEpisode } from "./episode.ts";

const positive = z.number().positive();

export const temperatureConfig = z.strictObject({
  agents: z.int().min(1).default(40).describe("Zones, in turn on one level of the building and on the other"),
  horizon: z.int().min(1).default(40),
  paperLike: z
    .boolean()
    .default(false)
    .describe("Whether inputs reach no further than those of the paper seem to"),
  largestInput: positive
    .optional()
    .describe("Largest heating or cooling power u, kW; 30, or 9 when paperLike"),
  noise: z
    .enum(["equation", "table"])
    .or(z.number().min(0))
    .default("equation")
    .describe(
      "Standard deviation of the noise, °C: the paper's equation gives sqrt(D) / nu = .0387, its table 2.5 sqrt(D) / nu = .0968",
    ),
  initialMean: z.number().default(30).describe("Mean of the initial temperatures, °C"),
  initialVariance: z.number().min(0).default(2.5).describe("Their variance; the paper also prints 1e-4"),
  target: z.number().default(22).describe("Temperature that costs nothing, °C"),
  inputCost: z.number().min(0).default(0.01).describe("beta, cost of a squared kW against a squared °C"),
  interval: positive.default(60).describe("D, seconds of a step"),
  capacity: positive.default(200).describe("nu, kJ/°C that warm one zone"),
  wallResistance: positive.default(1).describe("zeta, °C/kW between a zone and the outside"),
  zoneResistance: positive.default(1).describe("zeta_ij, °C/kW between neighbouring zones"),
  outside: z.number().default(30).describe("e, temperature outside, °C"),
  occupants: z.number().default(1).describe("p, heat of who is in a zone, kW"),
  normalise: z
    .boolean()
    .default(true)
    .describe("Whether observations and states hold (x - target) / 10 in place of temperatures x"),
});

export type TemperatureConfig = z.output<typeof temperatureConfig>;

/** Temperature differences are divided by this where they are normalised, °C. */
export const temperatureUnit = 10;

/**
 * Temperature control of a building of N zones on two levels (MABN, example 3). Zones i and i + 2 share a wall; those of even
 * index are one level, the others the second, and levels do not touch. Zone i at x_i °C is heated or cooled with u_i kW:
 *
 *     x_i' = x_i + D/(nu zeta) (e - x_i) + D/nu (u_i + p) + sum_j D/(nu zeta_ij) (x_j - x_i) + noise
 *     r_i  = -(x_i - 22)^2 - 0.01 u_i^2
 *
 * with x and u before the step. What the last input leads to is never paid for. Returns are often told by zone: divided by N.
 *
 * Action of agent i: `u_i`. Own state: its temperature. Observation: the temperatures of the zone itself, its neighbour of
 * lower index and its neighbour of higher index, so that end zones observe one number less. Normalised unless set otherwise.
 */
export const temperature = defineEnv({
  name: "temperature",
  description: "Zones of a building are heated and cooled; heat leaks to the neighbours.",
  config: temperatureConfig,
  create: createTemperature,
});

/** The zones that share a wall with zone i: none, one or two, in increasing index. */
export function neighbouringZones(agents: number, i: number): readonly number[] {
  return [i - 2, i + 2].filter((j) => j >= 0 && j < agents);
}

/** `u_max`, kW. */
export function inputLimit({ largestInput, paperLike }: TemperatureConfig): number {
  return largestInput ?? (paperLike ? 9 : 30);
}

/** What a step makes of the temperatures: `x_i' = x_i + wall (e - x_i) + input (u_i + p) + zone sum_j (x_j - x_i) + noise`. */
export interface HeatFlow {
  readonly wall: number;
  readonly input: number;
  readonly zone: number;
  /** Standard deviation, °C. */
  readonly noise: number;
}

export function heatFlow(config: TemperatureConfig): HeatFlow {
  const { interval, capacity, wallResistance, zoneResistance, noise } = config;
  const input = interval / capacity;
  const spread = Math.sqrt(interval) / capacity;
  return {
    wall: input / wallResistance,
    input,
    zone: input / zoneResistance,
    noise: noise === "equation" ? spread : noise === "table" ? 2.5 * spread : noise,
  };
}

function createTemperature(config: TemperatureConfig): Env {
  const { agents, horizon, target, inputCost, outside, occupants, normalise } = config;
  const flow = heatFlow(config);
  const limit = inputLimit(config);
  const near = Array.from({ length: agents }, (_, i) => neighbouringZones(agents, i));
  const walls = near.flatMap((own, i) => own.map((j) => [j, i] as const));
  const couplings = couplingGraphs(agents, { state: walls, observation: walls });
  const observationSizes = near.map((own) => 1 + own.length);
  const spec: EnvSpec = {
    id: "temperature",
    version: 1,
    agents,
    observationSize: Math.max(...observationSizes),
    observationSizes,
    stateSize: agents,
    stateSizes: new Array<number>(agents).fill(1),
    actions: Array.from({ length: agents }, () => ({ kind: "box", size: 1, low: -limit, high: limit })),
    horizon,
    rewards: "individual",
    sharedObservation: false,
  };
  const episode = createEpisode(spec);
  const x = new Float64Array(agents);
  const next = new Float64Array(agents);
  const rewards = new Float64Array(agents);
  const spreadAtFirst = Math.sqrt(config.initialVariance);
  const shown = (i: number) => (normalise ? (x[i] - target) / temperatureUnit : x[i]);

  return {
    spec,
    reset(rng) {
      episode.begin(rng);
      for (let i = 0; i < agents; i++) x[i] = config.initialMean + spreadAtFirst * rng.normal();
    },
    step(actions) {
      episode.admit(actions);
      const { rng } = episode;
      let total = 0;
      for (let i = 0; i < agents; i++) {
        const off = x[i] - target;
        const u = actions[i];
        rewards[i] = -off * off - inputCost * u * u;
        total += rewards[i];
        let change = flow.wall * (outside - x[i]) + flow.input * (u + occupants);
        const own = near[i];
        for (let k = 0; k < own.length; k++) change += flow.zone * (x[own[k]] - x[i]);
        next[i] = x[i] + change;
        if (flow.noise > 0) next[i] += flow.noise * rng.normal();
      }
      x.set(next);
      return episode.conclude(total, false, rewards);
    },
    observe(out, at) {
      for (let i = 0; i < agents; i++) {
        let to = at + i * spec.observationSize;
        const end = to + spec.observationSize;
        out[to++] = shown(i);
        const own = near[i];
        for (let k = 0; k < own.length; k++) out[to++] = shown(own[k]);
        while (to < end) out[to++] = 0;
      }
    },
    state(out, at) {
      for (let i = 0; i < agents; i++) out[at + i] = shown(i);
    },
    couplings: () => couplings,
    snapshot: () => ({ episode: episode.snapshot(), temperatures: [...x] }),
    restore(snapshot) {
      const saved = snapshot as { readonly episode: Snapshot; readonly temperatures: readonly number[] };
      episode.restore(saved.episode);
      x.set(saved.temperatures);
    },
    scene() {
      const shapes: SceneShape[] = [];
      let sum = 0;
      for (let i = 0; i < agents; i++) {
        sum += x[i];
        shapes.push({
          kind: "rectangle",
          x: Math.floor(i / 2),
          y: i % 2,
          width: 1,
          height: 1,
          fill: heatColour((x[i] - target) / temperatureUnit),
          stroke: "#ffffff",
          label: x[i].toFixed(1),
        });
      }
      return {
        width: Math.ceil(agents / 2),
        height: Math.min(2, agents),
        caption: `${(sum / agents).toFixed(2)} °C on average, target ${target} °C`,
        shapes,
      };
    },
  };
}

/** Blue at -1 and below, white at 0, red at 1 and above. */
function heatColour(heat: number): string {
  const strength = Math.min(1, Math.abs(heat));
  const [red, green, blue] = heat < 0 ? [37, 99, 235] : [220, 38, 38];
  const mixed = [red, green, blue].map((full) => Math.round(255 + strength * (full - 255)));
  return `#${mixed.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
}
