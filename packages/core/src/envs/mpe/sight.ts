import type { World } from "./world.ts";

/** Which other agents and which landmarks an observer is told about: all of them, or only the nearest. */
export interface Sight {
  /** Whether it is only the nearest agents. */
  readonly nearestAgents: boolean;
  /** Set by `look`: in their order or nearest first, with -1 in places that are left over. */
  readonly agents: Int32Array;
  readonly landmarks: Int32Array;
  look(observer: number): void;
}

/** How many are observed; all when left out. */
export interface SightLimits {
  readonly agentNeighbours?: number;
  readonly landmarkNeighbours?: number;
}

export function createSight(world: World, limits: SightLimits): Sight {
  const { agentNeighbours, landmarkNeighbours } = limits;
  const { agents, entities } = world;
  const seenAgents = new Int32Array(agentNeighbours ?? agents - 1);
  const seenLandmarks = new Int32Array(landmarkNeighbours ?? entities - agents);
  const listAgents = agentNeighbours === undefined ? listAll : listNearest;
  const listLandmarks = landmarkNeighbours === undefined ? listAll : listNearest;
  return {
    nearestAgents: agentNeighbours !== undefined,
    agents: seenAgents,
    landmarks: seenLandmarks,
    look(observer) {
      listAgents(world, observer, 0, agents, seenAgents);
      listLandmarks(world, observer, agents, entities, seenLandmarks);
    },
  };
}

/** Lists the bodies `first..end-1`, the observer left out. */
function listAll(_world: World, observer: number, first: number, end: number, out: Int32Array): void {
  let count = 0;
  for (let body = first; body < end; body++) if (body !== observer) out[count++] = body;
}

/** Lists the nearest of the bodies `first..end-1`, the observer left out, nearest first and -1 in places left over. */
function listNearest(world: World, observer: number, first: number, end: number, out: Int32Array): void {
  let found = 0;
  for (let body = first; body < end; body++) {
    if (body === observer) continue;
    let place = found;
    while (place > 0 && closer(world, observer, body, out[place - 1])) place--;
    if (place === out.length) continue;
    if (found < out.length) found++;
    for (let k = found - 1; k > place; k--) out[k] = out[k - 1];
    out[place] = body;
  }
  for (let k = found; k < out.length; k++) out[k] = -1;
}

/** Whether body `i` is closer to the observer than body `j`. */
function closer({ x, y }: World, observer: number, i: number, j: number): boolean {
  const squared = (x[observer] - x[i]) ** 2 + (y[observer] - y[i]) ** 2;
  return squared < (x[observer] - x[j]) ** 2 + (y[observer] - y[j]) ** 2;
}
