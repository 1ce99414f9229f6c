/**
 * Physics shared by all particle environments: discs in an unbounded plane, pushed by their own will and by contact.
 *
 * Functions called at every step return whole numbers and booleans only. A real number that one function returns to another, or
 * takes as an argument, is boxed by the engine unless it chooses to merge the two, so such numbers go through arrays.
 */

/** Seconds of a step. */
export const timeStep = 0.1;
/** What a step leaves of a velocity. */
export const inertia = 0.75;
/** `C` of the contact force. */
const stiffness = 100;
/** `k` of the contact force: how softly it sets in. */
const margin = 0.001;
/** Contact further apart than this is worth less than 1e-300. */
const reachOfForce = 0.69;

/** Red, green and blue in `[0, 1]`. */
export type Colour = readonly [number, number, number];

/** What is fixed about one disc. */
export interface Body {
  readonly name: string;
  readonly kind: "agent" | "adversary" | "leader" | "landmark" | "obstacle" | "food" | "forest";
  readonly colour: Colour;
  /** Radius. */
  readonly size: number;
  /** Whether it pushes other bodies that collide. Landmarks are never pushed themselves. */
  readonly collides: boolean;
}

export interface AgentBody extends Body {
  readonly moves: boolean;
  readonly speaks: boolean;
  /** Force of a full push; 5 when left out. */
  readonly acceleration?: number;
  /** No limit when left out. */
  readonly topSpeed?: number;
}

/** How positions and velocities follow each other. */
export type Integrator = "mpe2" | "velocityFirst";

/**
 * The present moment. Bodies are numbered: agents `0..N-1`, then landmarks up to `E-1`. All arrays are filled in place and
 * stay the same objects for good.
 */
export interface World {
  /** What is fixed about each body, `[E]`. */
  readonly bodies: readonly Body[];
  /** `N`. */
  readonly agents: number;
  /** `E`. */
  readonly entities: number;
  /** `W`: numbers in a message. */
  readonly words: number;
  /** Positions, `[E]`. */
  readonly x: Float64Array;
  readonly y: Float64Array;
  /** Velocities, `[N]`. */
  readonly vx: Float64Array;
  readonly vy: Float64Array;
  /** What each agent said last, `[N, W]`; zeros for the silent. */
  readonly messages: Float64Array;
  /** What each agent wants, then with contact added, `[N]`. */
  readonly forceX: Float64Array;
  readonly forceY: Float64Array;
  /** Radii, `[E]`. */
  readonly size: Float64Array;
  /** `[N]` */
  readonly moves: Uint8Array;
  readonly speaks: Uint8Array;
  readonly acceleration: Float64Array;
  readonly topSpeed: Float64Array;
  /** Pairs of bodies that collide, at least one of which moves; the first has the lower number. */
  readonly first: Int32Array;
  readonly second: Int32Array;
  /** Distance at which each pair touches, and the square of the one from which on it feels nothing. */
  readonly reach: Float64Array;
  readonly farSquared: Float64Array;
}

/** A world with everybody at the origin. */
export function createWorld(words: number, agents: readonly AgentBody[], landmarks: readonly Body[]): World {
  const bodies: readonly Body[] = [...agents, ...landmarks];
  const [N, E] = [agents.length, bodies.length];
  const pairs: (readonly [number, number])[] = [];
  for (let a = 0; a < N; a++) {
    for (let b = a + 1; b < E; b++) {
      const moving = agents[a].moves || (b < N && agents[b].moves);
      if (bodies[a].collides && bodies[b].collides && moving) pairs.push([a, b]);
    }
  }
  const reach = Float64Array.from(pairs, ([a, b]) => bodies[a].size + bodies[b].size);
  return {
    bodies,
    agents: N,
    entities: E,
    words,
    x: new Float64Array(E),
    y: new Float64Array(E),
    vx: new Float64Array(N),
    vy: new Float64Array(N),
    messages: new Float64Array(N * words),
    forceX: new Float64Array(N),
    forceY: new Float64Array(N),
    size: Float64Array.from(bodies, ({ size }) => size),
    moves: Uint8Array.from(agents, ({ moves }) => (moves ? 1 : 0)),
    speaks: Uint8Array.from(agents, ({ speaks }) => (speaks ? 1 : 0)),
    acceleration: Float64Array.from(agents, ({ acceleration = 5 }) => acceleration),
    topSpeed: Float64Array.from(agents, ({ topSpeed = Number.POSITIVE_INFINITY }) => topSpeed),
    first: Int32Array.from(pairs, ([a]) => a),
    second: Int32Array.from(pairs, ([, b]) => b),
    reach,
    farSquared: reach.map((distance) => (distance + reachOfForce) ** 2),
  };
}

/**
 * One step of time under `forceX`, `forceY`. `mpe2` moves with the old velocity and then changes it; `velocityFirst`, as the
 * first published version and the suite until 2023, changes it and moves with the new one.
 */
export function advance(world: World, integrator: Integrator): void {
  pushApart(world);
  const { agents, x, y, vx, vy, forceX, forceY, moves, topSpeed } = world;
  const velocityFirst = integrator === "velocityFirst";
  for (let i = 0; i < agents; i++) {
    if (moves[i] === 0) continue;
    if (!velocityFirst) {
      x[i] += vx[i] * timeStep;
      y[i] += vy[i] * timeStep;
    }
    let speedX = vx[i] * inertia + forceX[i] * timeStep;
    let speedY = vy[i] * inertia + forceY[i] * timeStep;
    const speed = Math.sqrt(speedX * speedX + speedY * speedY);
    if (speed > topSpeed[i]) {
      speedX = (speedX / speed) * topSpeed[i];
      speedY = (speedY / speed) * topSpeed[i];
    }
    vx[i] = speedX;
    vy[i] = speedY;
    if (velocityFirst) {
      x[i] += speedX * timeStep;
      y[i] += speedY * timeStep;
    }
  }
}

/** Adds `C k softplus((reach - r) / k)` along the line between each pair that collides. Bodies in one point feel nothing. */
function pushApart({ agents, x, y, forceX, forceY, first, second, reach, farSquared }: World): void {
  for (let pair = 0; pair < first.length; pair++) {
    const a = first[pair];
    const b = second[pair];
    const dx = x[a] - x[b];
    const dy = y[a] - y[b];
    const squared = dx * dx + dy * dy;
    if (squared >= farSquared[pair] || squared === 0) continue;
    const r = Math.sqrt(squared);
    // Written out, as it would be boxed: softplus is log(1 + e^z), to the last bit without its logarithm where that adds nothing.
    const z = (reach[pair] - r) / margin;
    const softplus = z < -40 ? Math.exp(z) : z > 40 ? z : Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
    const depth = margin * softplus;
    const pushX = ((stiffness * dx) / r) * depth;
    const pushY = ((stiffness * dy) / r) * depth;
    // The force on who does not move is never read.
    forceX[a] += pushX;
    forceY[a] += pushY;
    if (b < agents) {
      forceX[b] -= pushX;
      forceY[b] -= pushY;
    }
  }
}

/** Writes how far apart two bodies are. */
export function putDistance({ x, y }: World, i: number, j: number, out: Float64Array, at: number): void {
  const dx = x[i] - x[j];
  const dy = y[i] - y[j];
  out[at] = Math.sqrt(dx * dx + dy * dy);
}

/** Whether two bodies overlap. Bodies that merely touch do not. */
export function overlap({ x, y, size }: World, i: number, j: number): boolean {
  const dx = x[i] - x[j];
  const dy = y[i] - y[j];
  return Math.sqrt(dx * dx + dy * dy) < size[i] + size[j];
}

/** The nearest of the bodies `from..to-1`, the first of equals. */
export function nearestBody({ x, y }: World, i: number, from: number, to: number): number {
  let nearest = from;
  let least = Number.POSITIVE_INFINITY;
  for (let j = from; j < to; j++) {
    const dx = x[i] - x[j];
    const dy = y[i] - y[j];
    const away = Math.sqrt(dx * dx + dy * dy);
    if (away >= least) continue;
    least = away;
    nearest = j;
  }
  return nearest;
}

/** How many of the bodies `from..to-1` overlap with this one. */
export function countOverlaps(world: World, i: number, from: number, to: number): number {
  let count = 0;
  for (let j = from; j < to; j++) if (overlap(world, i, j)) count++;
  return count;
}

/** Writes what leaving the middle of the plane costs, along one axis: nothing until .9, 1 at the border, at most 10. */
export function putStrayPenalty(coordinates: Float64Array, of: number, out: Float64Array, at: number): void {
  const far = Math.abs(coordinates[of]);
  out[at] = far < 0.9 ? 0 : far < 1 ? 10 * (far - 0.9) : Math.min(Math.exp(2 * far - 2), 10);
}
