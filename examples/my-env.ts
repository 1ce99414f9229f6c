// A team of your own: three friends on a ring of places, each free to walk one place left or right. Every step
// pays the share of pairs that stand together, so they must agree on where to meet.
import { createEpisode, defineEnv, fullyObservedSpec, type Snapshot } from "corral/envs";
import { z } from "zod";

const agents = 3;

export default defineEnv({
  name: "meeting-point",
  description: "Three friends on a ring of places are paid for standing together.",
  config: z.strictObject({ places: z.int().min(2).default(5), horizon: z.int().min(1).default(10) }),
  create({ places, horizon }) {
    // Everybody sees where everybody is, as one-hot numbers; actions are left, stay, right.
    const size = agents * places;
    const spec = fullyObservedSpec({ id: "meeting-point", agents, actions: 3, stateSize: size, horizon });
    const episode = createEpisode(spec); // keeps time and the random stream, and refuses invalid actions
    const at = new Int32Array(agents);
    const together = () => [at[0] === at[1], at[0] === at[2], at[1] === at[2]].filter(Boolean).length / 3;
    const state = (out: Float32Array, from: number) => {
      out.fill(0, from, from + size);
      for (let i = 0; i < agents; i++) out[from + i * places + at[i]] = 1;
    };
    return {
      spec,
      reset(rng) {
        episode.begin(rng);
        for (let i = 0; i < agents; i++) at[i] = rng.integer(places);
      },
      step(moves) {
        episode.admit(moves);
        for (let i = 0; i < agents; i++) at[i] = (at[i] + moves[i] - 1 + places) % places;
        return episode.conclude(together());
      },
      state,
      observe(out, from) {
        for (let i = 0; i < agents; i++) state(out, from + i * size);
      },
      snapshot: () => ({ episode: episode.snapshot(), at: [...at] }),
      restore(snapshot) {
        const saved = snapshot as { episode: Snapshot; at: number[] };
        episode.restore(saved.episode);
        at.set(saved.at);
      },
      // For corral render: a row for each friend, a column for each place.
      scene: () => ({
        width: places,
        height: agents,
        shapes: Array.from(at, (place, i) => {
          return {
            kind: "circle",
            x: place + 0.5,
            y: i + 0.5,
            radius: 0.35,
            fill: "#93c5fd",
            label: String(i),
          };
        }),
      }),
    };
  },
});
