import type { Scenario } from "./scenario.ts";

/** What some of the agents observe. */
export interface Observations {
  /** Numbers of each agent. */
  readonly sizes: readonly number[];
  /** The largest of the sizes. */
  readonly longest: number;
  /** Of all these agents, one after the other, as they last looked. */
  readonly values: Float64Array;
  /** All of them look at the present moment. */
  look(): void;
  /** Writes the values, each agent's padded with zeros to the longest. */
  write(out: Float32Array, at: number): void;
}

export function createObservations(
  { observationSizes, observe }: Scenario,
  agents: readonly number[],
): Observations {
  const who = Int32Array.from(agents);
  const sizes = agents.map((i) => observationSizes[i]);
  const longest = Math.max(...sizes);
  const begin = new Int32Array(who.length + 1);
  for (let k = 0; k < who.length; k++) begin[k + 1] = begin[k] + sizes[k];
  const values = new Float64Array(begin[who.length]);
  return {
    sizes,
    longest,
    values,
    look() {
      for (let k = 0; k < who.length; k++) observe(who[k], values, begin[k]);
    },
    write(out, at) {
      for (let k = 0; k < who.length; k++) {
        let to = at + k * longest;
        const end = to + longest;
        for (let from = begin[k]; from < begin[k + 1]; from++) out[to++] = values[from];
        while (to < end) out[to++] = 0;
      }
    },
  };
}
