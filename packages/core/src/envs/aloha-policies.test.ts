import { expect, test } from "vitest";
import { createRng } from "../random/index.ts";
import { alohaConfig, alohaNeighbours, createAloha } from "./aloha.ts";
import {
  type AlohaPolicy,
  alternateSets,
  fixedSenders,
  greedyInOrder,
  playAloha,
  randomSenders,
} from "./aloha-policies.ts";

const greedy = greedyInOrder(alohaNeighbours(alohaConfig.parse({})));

// Mean and standard deviation of the return in an independent implementation, and its number of episodes. For the
// smaller sender sets the deviation of the five senders is an upper bound.
const measured: readonly [string, AlohaPolicy, number, number, number, number][] = [
  ["alternate sets", alternateSets, 20, 9.567, 0.223, 200],
  ["alternate sets", alternateSets, 25, 12.02, 0.247, 200],
  ["first set", fixedSenders([0, 2, 4, 6, 8]), 20, 6.218, 0.495, 200],
  ["first set", fixedSenders([0, 2, 4, 6, 8]), 25, 7.755, 0.566, 200],
  ["random .1", randomSenders(0.1), 20, -50.4, 33.4, 200],
  ["random .1", randomSenders(0.1), 25, -63.3, 38.5, 200],
  ["random .5", randomSenders(0.5), 20, -835, 96, 200],
  ["random .5", randomSenders(0.5), 25, -1047, 107, 200],
  ["never", fixedSenders([]), 25, 0, 0, 200],
  ["greedy in order", greedy, 25, 11.63, 0.38, 2000],
  ["four senders", fixedSenders([0, 3, 6, 9]), 25, 6.17, 0.566, 2000],
  ["three senders", fixedSenders([1, 5, 8]), 25, 4.62, 0.566, 2000],
];

test.each(measured)(
  "%s over %s steps earns what was measured",
  (_name, policy, horizon, mean, sd, episodes) => {
    const env = createAloha(alohaConfig.parse({ horizon }));
    const root = createRng("aloha policies");
    const returns = Array.from({ length: episodes }, (_, k) => playAloha(env, policy, root.split(String(k))));
    const ours = returns.reduce((sum, value) => sum + value, 0) / episodes;
    const ourSd = Math.sqrt(returns.reduce((sum, value) => sum + (value - ours) ** 2, 0) / episodes);
    // Both means carry an error of sd / sqrt(episodes); four standard errors of their difference, and rounding.
    expect(Math.abs(ours - mean)).toBeLessThan(4 * sd * Math.sqrt(2 / episodes) + 0.006);
    expect(ourSd).toBeLessThan(1.3 * sd + 1e-9);
  },
);
