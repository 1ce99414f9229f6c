import type { Rng } from "../random/index.ts";
import type { DagChoices } from "./dag-chooser.ts";
import { dagKernels } from "./dag-kernels.ts";

/**
 * Draws new noise for up to `samples` samples of DAGs.
 *
 * @returns a function that fills the noise of choices, with zeros where there is no stream: the likeliest choices; searches
 * for assignments then begin anew
 */
export function dagNoise(
  agents: number,
  samples: number,
): (choices: DagChoices, rng: Rng | undefined) => void {
  const reversible = (agents * (agents - 1)) / 2;
  const { kernels, buffer, addresses } = dagKernels([samples * agents * agents]);
  const words = new Uint32Array(buffer, addresses[0], samples * agents * agents);
  const noise = new Float32Array(buffer, addresses[0], words.length);
  return ({ orderNoise, edgeNoise, order, prices }, rng) => {
    order.fill(0);
    prices.fill(0);
    if (rng === undefined) {
      orderNoise.fill(0);
      edgeNoise.fill(0);
      return;
    }
    // 32 random bits are enough for noise that ends at ±22.9, where published code cuts it off too, and take half the time.
    for (let k = 0; k < orderNoise.length; k++) words[k] = rng.next();
    kernels.gumbel(addresses[0], orderNoise.length);
    orderNoise.set(noise.subarray(0, orderNoise.length));

    const count = (orderNoise.length / (agents * agents)) * reversible;
    for (let k = 0; k < count; k++) words[k] = rng.next();
    kernels.logistic(addresses[0], count);
    for (let matrix = 0, k = 0; matrix < edgeNoise.length; matrix += agents * agents) {
      for (let i = 1; i < agents; i++) {
        for (let j = 0; j < i; j++, k++) {
          edgeNoise[matrix + i * agents + j] = noise[k];
          edgeNoise[matrix + j * agents + i] = noise[k];
        }
      }
    }
  };
}
