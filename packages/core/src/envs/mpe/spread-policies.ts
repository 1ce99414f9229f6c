import { InputError } from "../../errors.ts";
import { assignmentSolver } from "../../structure/index.ts";
import type { ControlPolicy, ReferencePolicies } from "../control-policy.ts";
import type { SpreadConfig } from "./spread.ts";
import { inertia, timeStep } from "./world.ts";

/** Force of a full push. */
const acceleration = 5;
/** How far a speed of 1 carries an agent that is left alone: `0.1 (1 + 0.75 + 0.75^2 + ...)`. */
export const coasting = timeStep / (1 - inertia);
/** How far a full push for one step carries it. */
const stride = coasting * timeStep * acceleration;

export const spreadReferences = (config: SpreadConfig): ReferencePolicies => ({
  "greedy-assignment": () => greedyAssignment(config),
});

/**
 * Spread by assignment: at every step each agent is given one landmark so that all together have the least way to go, and heads for it
 * by the push after which it would come to rest nearest to it. Collisions are not avoided. Sees the whole state.
 *
 * @throws InputError when agents observe their neighbours only
 */
export function greedyAssignment(config: SpreadConfig): ControlPolicy {
  const { agents, actions: mode, agentNeighbours, landmarkNeighbours } = config;
  if (agentNeighbours !== undefined || landmarkNeighbours !== undefined) {
    throw new InputError(
      "mpe/spread: assignments need every landmark in view, expected no neighbours settings",
    );
  }
  const assign = assignmentSolver(agents);
  const nearness = new Float64Array(agents * agents);
  const landmarks = new Int32Array(agents);
  return (state, _step, _rng, actions) => {
    // The state is all observations: own velocity, own position, landmarks as seen from the agent, others, messages.
    const size = state.length / agents;
    const landmarkX = (i: number, landmark: number) => state[i * size + 4 + 2 * landmark];
    const landmarkY = (i: number, landmark: number) => state[i * size + 5 + 2 * landmark];
    for (let i = 0; i < agents; i++) {
      for (let l = 0; l < agents; l++)
        nearness[i * agents + l] = -Math.hypot(landmarkX(i, l), landmarkY(i, l));
    }
    assign(nearness, 0, landmarks);
    for (let i = 0; i < agents; i++) {
      // What is left to go from where the agent would come to rest.
      const x = landmarkX(i, landmarks[i]) - coasting * state[i * size];
      const y = landmarkY(i, landmarks[i]) - coasting * state[i * size + 1];
      if (mode === "discrete") actions[i] = bestMove(x, y);
      else push(x / stride, y / stride, actions, 5 * i);
    }
  };
}

/** The move that leaves the least to go, to a place at rest as seen from an agent at rest. */
export function bestMove(x: number, y: number): number {
  const alongX = Math.abs(x) >= Math.abs(y);
  const rest = alongX ? x : y;
  if (Math.abs(rest) < stride / 2) return 0;
  return alongX ? (rest > 0 ? 2 : 1) : rest > 0 ? 4 : 3;
}

/** A continuous action: nothing, left, right, down, up. */
function push(x: number, y: number, actions: Float64Array, at: number): void {
  actions[at] = 0;
  actions[at + 1] = Math.min(1, Math.max(0, -x));
  actions[at + 2] = Math.min(1, Math.max(0, x));
  actions[at + 3] = Math.min(1, Math.max(0, -y));
  actions[at + 4] = Math.min(1, Math.max(0, y));
}
