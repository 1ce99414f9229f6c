import { z } from "zod";
import { InputError } from "../errors.ts";
import {
  type CouplingEdge,
  type CouplingGraphs,
  couplingEdges,
  couplingGraphs,
  couplingsFromJson,
} from "../structure/index.ts";
import { defineEnv } from "./definition.ts";
import type { Env, EnvSpec, Scene, SceneShape, Snapshot } from "./env.ts";
import { createEpisode } from "./episode.ts";

const oneOrEach = z.number().or(z.array(z.number()));

export const warehouseConfig = z
  .strictObject({
    instance: z
      .enum(["nine", "ring"])
      .default("nine")
      .describe("Nine warehouses in two groups, or a ring of which one half gains what the other loses"),
    agents: z.int().min(2).optional().describe("Warehouses of the ring, 40 when left out"),
    couplings: z
      .json()
      .optional()
      .describe(
        'Graphs in place of the instance\'s: {"agents":3,"state":[[0,1]],"observation":[[1,0]],"reward":[]} with edges [from, to]',
      ),
    amplitude: oneOrEach
      .optional()
      .describe(
        "A in the demand A sin(w t + phase), one number for all or one for each; else the instance's",
      ),
    frequency: oneOrEach.default(1).describe("w, radians per step, one number for all or one for each"),
    phase: oneOrEach.default(0).describe("Radians, one number for all or one for each"),
    demandNoise: z
      .number()
      .min(0)
      .default(0)
      .describe("Bound of the uniform noise that is added to each demand"),
    initialStock: oneOrEach.default(1).describe("One number for all or one for each"),
    initialNoise: z
      .number()
      .min(0)
      .default(0)
      .describe("Standard deviation of the normal noise that is added to each initial stock"),
    keep: z
      .boolean()
      .default(true)
      .describe(
        "Whether a warehouse may keep a share of its stock, the first of its shares, or must send all",
      ),
    timeInObservation: z
      .boolean()
      .default(false)
      .describe("Whether observations end with the time, as a share of the horizon"),
    horizon: z.int().min(1).default(8),
  })
  .superRefine((config, { addIssue }) => {
    const problem = problemOf(config);
    if (problem !== undefined)
      addIssue({ code: "custom", path: [problem.setting], message: problem.message });
  });

export type WarehouseConfig = z.output<typeof warehouseConfig>;

/**
 * Nine warehouses (ours: the paper draws its own as a picture). Two groups that send each other nothing, in which
 * everybody observes at most one or two others; numbered from 0.
 */
const nine = {
  state: [
    [1, 0],
    [0, 1],
    [1, 3],
    [2, 3],
    [3, 2],
    [4, 5],
    [5, 4],
    [4, 7],
    [6, 7],
    [7, 6],
    [6, 8],
    [8, 6],
  ] satisfies CouplingEdge[],
  observation: [
    [0, 1],
    [3, 2],
    [5, 4],
    [7, 6],
    [8, 6],
  ] satisfies CouplingEdge[],
  amplitude: [-1, 1, 1, -1, 1, -1, 1, -1, -1],
};

const agentsOfRing = 40;

/**
 * Resource allocation among N warehouses (MABN, examples 1 and 2). Warehouse i holds stock m and each step sends a share of it to
 * every warehouse it has a state edge to, unless its stock is negative; its demand z is then added:
 *
 *     m_i' = m_i - [m_i >= 0] m_i sum_j b_ij + sum_j [m_j >= 0] m_j b_ji + z_i,   z_i(t) = A_i sin(w_i t + phase_i) + noise
 *
 * Each warehouse with stock below 0 before the step costs m^2, which is charged to the agents that have a reward edge from
 * it and to itself. What the last action leads to is never paid for.
 *
 * Action of agent i: shares `[kept, sent to each receiver in increasing index]`. Own state: `(m_i, z_i)`. Observation: the
 * stock of those it observes, itself among them, in increasing index, its demand z_i and, as a setting, the time.
 */
export const warehouse = defineEnv({
  name: "warehouse",
  description: "Warehouses share stock with their neighbours so that none runs out under a swinging demand.",
  config: warehouseConfig,
  create: createWarehouse,
});

/** Who sends to whom and what is demanded of whom. */
export interface WarehouseNetwork {
  readonly couplings: CouplingGraphs;
  /** Warehouse i sends to `receivers[starts[i] .. starts[i + 1] - 1]`, in increasing index. */
  readonly starts: Int32Array;
  readonly receivers: Int32Array;
  /** `[N + 1]`: where the shares of each warehouse begin in a joint action. The receivers' are the last of them. */
  readonly begin: Int32Array;
  /** `[N]`, as are the others. */
  readonly amplitude: Float64Array;
  readonly frequency: Float64Array;
  readonly phase: Float64Array;
  readonly initialStock: Float64Array;
}

/** @throws InputError when couplings, numbers of agents and lists do not fit together */
export function warehouseNetwork(config: WarehouseConfig): WarehouseNetwork {
  const couplings = graphsOf(config);
  const { agents } = couplings;
  const starts = new Int32Array(agents + 1);
  const edges = couplingEdges(couplings, "state");
  for (const [from] of edges) starts[from + 1]++;
  for (let i = 0; i < agents; i++) starts[i + 1] += starts[i];
  const receivers = new Int32Array(edges.length);
  const at = starts.slice(0, agents);
  // Edges come in increasing order of their end.
  for (const [from, to] of edges) receivers[at[from]++] = to;
  const each = (value: number | readonly number[]) =>
    Float64Array.from({ length: agents }, (_, i) => (typeof value === "number" ? value : value[i]));
  return {
    couplings,
    starts,
    receivers,
    begin: starts.map((start, i) => start + (config.keep ? i : 0)),
    amplitude: each(config.amplitude ?? amplitudesOf(config)),
    frequency: each(config.frequency),
    phase: each(config.phase),
    initialStock: each(config.initialStock),
  };
}

function graphsOf({ instance, agents, couplings }: WarehouseConfig): CouplingGraphs {
  if (couplings !== undefined) {
    const graphs = couplingsFromJson(couplings);
    if ("agents" in graphs) return graphs;
    throw new InputError("steps: expected couplings that stay as they are");
  }
  if (instance === "nine") return couplingGraphs(9, nine);
  const size = agents ?? agentsOfRing;
  const edges: CouplingEdge[] = [];
  for (let i = 0; i < size; i++) edges.push([i, (i + 1) % size], [(i + 1) % size, i]);
  return couplingGraphs(size, { state: edges, observation: edges });
}

function amplitudesOf({ instance, agents = agentsOfRing }: WarehouseConfig): readonly number[] {
  if (instance === "nine") return nine.amplitude;
  return Array.from({ length: agents }, (_, i) => (i < agents / 2 ? 1 : -1));
}

/** What is wrong with the settings together, in words that continue "warehouse.setting: ". */
function problemOf(
  config: WarehouseConfig,
): { readonly setting: string; readonly message: string } | undefined {
  const { instance, agents, couplings } = config;
  if (agents !== undefined && instance === "nine" && couplings === undefined) {
    return { setting: "agents", message: "expected instance=ring or couplings beside it: nine are nine" };
  }
  let graphs: CouplingGraphs;
  try {
    graphs = graphsOf(config);
  } catch (error) {
    if (error instanceof InputError) return { setting: "couplings", message: error.message };
    throw error;
  }
  if (agents !== undefined && graphs.agents !== agents) {
    return { setting: "agents", message: `expected the ${graphs.agents} of the couplings` };
  }
  if (config.amplitude === undefined && amplitudesOf(config).length !== graphs.agents) {
    return {
      setting: "amplitude",
      message: `expected a number or ${graphs.agents} numbers beside couplings of ${graphs.agents} agents`,
    };
  }
  for (const setting of ["amplitude", "frequency", "phase", "initialStock"] as const) {
    const value = config[setting];
    if (typeof value === "object" && value.length !== graphs.agents) {
      return {
        setting,
        message: `expected one number for each of ${graphs.agents} warehouses, not ${value.length}`,
      };
    }
  }
  const { starts } = warehouseNetwork(config);
  const stuck = starts.findIndex((start, i) => i < graphs.agents && start === starts[i + 1]);
  if (!config.keep && stuck >= 0) {
    return { setting: "keep", message: `expected true, because warehouse ${stuck} has nobody to send to` };
  }
  return undefined;
}

/**
 * Moves stock between warehouses, demand not yet added.
 *
 * @param stock `[N]`, m
 * @param shares joint action
 * @param next `[N]`, filled
 */
export function moveStock(
  { starts, receivers, begin }: WarehouseNetwork,
  stock: Float64Array,
  shares: ArrayLike<number>,
  next: Float64Array,
): void {
  next.set(stock);
  for (let i = 0; i < stock.length; i++) {
    if (stock[i] < 0) continue;
    const end = starts[i + 1];
    for (let e = starts[i], k = begin[i + 1] - (end - e); e < end; e++, k++) {
      const sent = stock[i] * shares[k];
      next[i] -= sent;
      next[receivers[e]] += sent;
    }
  }
}

/** A warehouse's demand at step t, without noise. */
export function demandAt({ amplitude, frequency, phase }: WarehouseNetwork, i: number, t: number): number {
  return amplitude[i] * Math.sin(frequency[i] * t + phase[i]);
}

function createWarehouse(config: WarehouseConfig): Env {
  const { demandNoise, initialNoise, timeInObservation, horizon } = config;
  const network = warehouseNetwork(config);
  const { couplings, begin, initialStock } = network;
  const { agents, observation, reward } = couplings;
  const observationSizes = Array.from(
    { length: agents },
    (_, i) => observation.starts[i + 1] - observation.starts[i] + (timeInObservation ? 2 : 1),
  );
  const spec: EnvSpec = {
    id: "warehouse",
    version: 1,
    agents,
    observationSize: Math.max(...observationSizes),
    observationSizes,
    stateSize: 2 * agents,
    stateSizes: new Array<number>(agents).fill(2),
    actions: Array.from({ length: agents }, (_, i) => ({ kind: "simplex", size: begin[i + 1] - begin[i] })),
    horizon,
    rewards: "individual",
    sharedObservation: false,
  };
  const episode = createEpisode(spec);
  const stock = new Float64Array(agents);
  const next = new Float64Array(agents);
  const demand = new Float64Array(agents);
  const costs = new Float64Array(agents);
  const rewards = new Float64Array(agents);

  const drawDemand = (t: number): void => {
    for (let i = 0; i < agents; i++) {
      const noise = demandNoise === 0 ? 0 : demandNoise * (2 * episode.rng.uniform() - 1);
      demand[i] = noise + demandAt(network, i, t);
    }
  };

  return {
    spec,
    reset(rng) {
      episode.begin(rng);
      stock.set(initialStock);
      if (initialNoise > 0) for (let i = 0; i < agents; i++) stock[i] += initialNoise * rng.normal();
      drawDemand(0);
    },
    step(actions) {
      episode.admit(actions);
      for (let i = 0; i < agents; i++) costs[i] = stock[i] < 0 ? stock[i] * stock[i] : 0;
      let total = 0;
      for (let i = 0; i < agents; i++) {
        rewards[i] = 0;
        for (let e = reward.starts[i]; e < reward.starts[i + 1]; e++) rewards[i] -= costs[reward.ids[e]];
        total += rewards[i];
      }
      moveStock(network, stock, actions, next);
      for (let i = 0; i < agents; i++) stock[i] = next[i] + demand[i];
      drawDemand(episode.time + 1);
      return episode.conclude(total, false, rewards);
    },
    observe(out, at) {
      for (let i = 0; i < agents; i++) {
        let to = at + i * spec.observationSize;
        const end = to + spec.observationSize;
        for (let e = observation.starts[i]; e < observation.starts[i + 1]; e++)
          out[to++] = stock[observation.ids[e]];
        out[to++] = demand[i];
        if (timeInObservation) out[to++] = episode.time / horizon;
        while (to < end) out[to++] = 0;
      }
    },
    state(out, at) {
      for (let i = 0; i < agents; i++) {
        out[at + 2 * i] = stock[i];
        out[at + 2 * i + 1] = demand[i];
      }
    },
    couplings: () => couplings,
    snapshot: () => ({ episode: episode.snapshot(), stock: [...stock], demand: [...demand] }),
    restore(snapshot) {
      const saved = snapshot as {
        readonly episode: Snapshot;
        readonly stock: readonly number[];
        readonly demand: readonly number[];
      };
      episode.restore(saved.episode);
      stock.set(saved.stock);
      demand.set(saved.demand);
    },
    scene: () => warehouseScene(couplings, stock),
  };
}

/** Room that a warehouse takes on the circle, half of it free for what it sends. */
const place = 1.5;
const halfWidth = 0.32;
/** Of its frame, and the stock that fills the half. */
const halfHeight = 0.55;
const fullStock = 2;

/** Warehouses on a circle, each a frame with its stock as a bar from the middle, upwards or, where it is short, downwards. */
function warehouseScene(couplings: CouplingGraphs, stock: Float64Array): Scene {
  const { agents } = couplings;
  const radius = (place * agents) / (2 * Math.PI);
  const size = 2 * radius + place;
  const x = (i: number) => size / 2 + radius * Math.sin((2 * Math.PI * i) / agents);
  const y = (i: number) => size / 2 - radius * Math.cos((2 * Math.PI * i) / agents);
  const shapes = couplingEdges(couplings, "state").map(([from, to]): SceneShape => {
    const [dx, dy] = [x(to) - x(from), y(to) - y(from)];
    // The share of the way that is inside a frame or too close to it.
    const inside = Math.min((halfWidth + 0.08) / Math.abs(dx), (halfHeight + 0.08) / Math.abs(dy));
    return {
      kind: "line",
      x1: x(from) + inside * dx,
      y1: y(from) + inside * dy,
      x2: x(to) - inside * dx,
      y2: y(to) - inside * dy,
      stroke: "#94a3b8",
      arrow: true,
    };
  });
  let short = 0;
  for (let i = 0; i < agents; i++) {
    const height = Math.min(1, Math.abs(stock[i]) / fullStock) * halfHeight;
    const isShort = stock[i] < 0;
    if (isShort) short++;
    const frame = { x: x(i) - halfWidth, width: 2 * halfWidth };
    shapes.push(
      { kind: "rectangle", ...frame, y: y(i) - halfHeight, height: 2 * halfHeight, fill: "#f8fafc" },
      {
        kind: "rectangle",
        ...frame,
        y: isShort ? y(i) : y(i) - height,
        height,
        fill: isShort ? "#f87171" : "#60a5fa",
      },
      {
        kind: "rectangle",
        ...frame,
        y: y(i) - halfHeight,
        height: 2 * halfHeight,
        stroke: "#64748b",
        strokeWidth: 0.025,
      },
      {
        kind: "line",
        x1: frame.x,
        y1: y(i),
        x2: frame.x + frame.width,
        y2: y(i),
        stroke: "#64748b",
        strokeWidth: 0.02,
      },
      // In the half that is free.
      {
        kind: "text",
        x: x(i),
        y: y(i) + (isShort ? -halfHeight / 2 : halfHeight / 2),
        text: stock[i].toFixed(1).replace("-", "−"),
        size: 0.22,
      },
    );
  }
  return { width: size, height: size, caption: `${short} of ${agents} below 0`, shapes };
}
