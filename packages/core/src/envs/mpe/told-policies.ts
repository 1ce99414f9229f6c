import { InputError } from "../../errors.ts";
import type { ControlPolicy, ReferencePolicies } from "../control-policy.ts";
import type { ParticleConfig } from "./settings.ts";
import { bestMove, coasting } from "./spread-policies.ts";

/**
 * Policies of a whole team that knows at once what its agents would have to tell each other: who is told a place heads for it, by
 * the push after which it would come to rest nearest to it. A measure of what messages are worth; they see the whole state.
 */
const told =
  (name: string, policy: ControlPolicy) =>
  ({ actions, protocol }: ParticleConfig): ReferencePolicies => ({
    told: () => {
      if (actions === "discrete" && protocol === "joint") return policy;
      throw new InputError(`${name}: told expects actions=discrete and protocol=joint`);
    },
  });

/** The listener goes to the landmark whose colour the speaker sees. */
export const speakerListenerReferences = told("mpe/speaker-listener", (state, _step, _rng, actions) => {
  const goal = 5 + 2 * brightest(state, 0);
  actions[0] = 0;
  actions[1] = approach(state, 3, state[goal], state[goal + 1]);
});

/** Each goes to the landmark whose colour its partner sees. */
export const referenceReferences = told("mpe/reference", (state, _step, _rng, actions) => {
  for (const [agent, partner] of [
    [0, 1],
    [1, 0],
  ]) {
    const own = 21 * agent;
    const goal = own + 2 + 2 * brightest(state, 21 * partner + 8);
    actions[agent] = approach(state, own, state[goal], state[goal + 1]);
  }
});

/** The adversary goes to the goal that the agent sees; where both are one team, nothing else is rewarded. The agent rests. */
export const pushReferences = told("mpe/push", (state, _step, _rng, actions) => {
  actions[0] = approach(state, 0, state[6] + state[10], state[7] + state[11]);
  actions[1] = 0;
});

/** The move towards a place, as seen from an agent whose velocity stands at `at`. */
const approach = (state: ArrayLike<number>, at: number, x: number, y: number): number =>
  bestMove(x - coasting * state[at], y - coasting * state[at + 1]);

/** Which of the three numbers of a colour is the largest: landmarks 0, 1 and 2 are red, green and blue. */
function brightest(state: ArrayLike<number>, at: number): number {
  let best = 0;
  for (let k = 1; k < 3; k++) if (state[at + k] > state[at + best]) best = k;
  return best;
}
