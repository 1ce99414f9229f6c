/** How the team that does not learn plays, where it is given a script. Each chooses a discrete action. */
import { inertia, nearestBody, putStrayPenalty, timeStep, type World } from "./world.ts";

/**
 * Runs: looks two positions ahead for each of its five moves and takes the one that leaves it furthest from the nearest
 * pursuer, less what straying costs and 1 inside an obstacle; the first of equals. Pursuers are taken to coast for a step.
 *
 * @param pursuers agents `0..pursuers-1`
 * @param firstObstacle first of the obstacles, which are followed by bodies that do not matter from `endObstacle` on
 * @returns a function of the agent that runs
 */
export function flee(
  world: World,
  pursuers: number,
  firstObstacle: number,
  endObstacle: number,
): (prey: number) => number {
  const { x, y, vx, vy, size, acceleration, topSpeed } = world;
  // Of the two positions ahead the second, `[x, y]`, and what straying costs there, along each axis.
  const ahead = new Float64Array(2);
  const penalty = new Float64Array(2);
  return (prey) => {
    let best = 0;
    let highest = Number.NEGATIVE_INFINITY;
    for (let move = 0; move < 5; move++) {
      const push = acceleration[prey] * timeStep;
      let speedX = inertia * vx[prey] + push * towardsX(move);
      let speedY = inertia * vy[prey] + push * towardsY(move);
      const speed = Math.sqrt(speedX * speedX + speedY * speedY);
      if (speed > topSpeed[prey]) {
        speedX = (speedX / speed) * topSpeed[prey];
        speedY = (speedY / speed) * topSpeed[prey];
      }
      const nextX = x[prey] + timeStep * (vx[prey] + speedX);
      const nextY = y[prey] + timeStep * (vy[prey] + speedY);
      ahead[0] = nextX;
      ahead[1] = nextY;
      for (let axis = 0; axis < 2; axis++) putStrayPenalty(ahead, axis, penalty, axis);
      let score = Number.POSITIVE_INFINITY;
      for (let p = 0; p < pursuers; p++) {
        const dx = nextX - (x[p] + timeStep * vx[p]);
        const dy = nextY - (y[p] + timeStep * vy[p]);
        score = Math.min(score, Math.sqrt(dx * dx + dy * dy));
      }
      score -= penalty[0] + penalty[1];
      for (let o = firstObstacle; o < endObstacle; o++) {
        const dx = nextX - x[o];
        const dy = nextY - y[o];
        if (Math.sqrt(dx * dx + dy * dy) < size[o] + size[prey]) {
          score -= 1;
          break;
        }
      }
      if (score > highest) {
        highest = score;
        best = move;
      }
    }
    return best;
  };
}

/**
 * Heads for the landmark nearest to the nearest of the agents `firstGood..agents-1`, along the axis with more to go (x of
 * equals), and rests once that is below .05.
 */
export function guard(world: World, guardian: number, firstGood: number): number {
  const { agents, entities, x, y } = world;
  const watched = nearestBody(world, guardian, firstGood, agents);
  const landmark = nearestBody(world, watched, agents, entities);
  const dx = x[landmark] - x[guardian];
  const dy = y[landmark] - y[guardian];
  const alongX = Math.abs(dx) >= Math.abs(dy);
  const rest = alongX ? dx : dy;
  if (Math.abs(rest) < 0.05) return 0;
  return alongX ? (rest > 0 ? 2 : 1) : rest > 0 ? 4 : 3;
}

/** Repeats the word that an agent said most strongly last, if it is one of the first two; else says the first. */
export function echo({ messages, words }: World, speaker: number): number {
  let loudest = 0;
  for (let w = 1; w < words; w++) {
    if (messages[speaker * words + w] > messages[speaker * words + loudest]) loudest = w;
  }
  return loudest < 2 ? loudest : 0;
}

/** Direction of a move along x: 1 is left, 2 is right. */
export const towardsX = (move: number): number => (move === 2 ? 1 : move === 1 ? -1 : 0);
/** Direction of a move along y: 3 is down, 4 is up. */
export const towardsY = (move: number): number => (move === 4 ? 1 : move === 3 ? -1 : 0);
