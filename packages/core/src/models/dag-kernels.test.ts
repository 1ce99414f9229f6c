import { expect, test } from "vitest";
import { compileKernels } from "../../kernels/testing/compile-kernels.ts";
import { createRng } from "../random/index.ts";
import { dagKernels } from "./dag-kernels.ts";

/** The checked-in module with the kernels compiled anew; `npm run kernels` rewrites it. */
test("the kernels are compiled from their sources", { timeout: 120_000 }, async () => {
  await expect(await compileKernels("dags.ts", "dagKernelsBinary")).toMatchFileSnapshot(
    "./dag-kernels-binary.ts",
  );
});

test("noise is what logarithms make of the middle of a word's cell, also at both ends", () => {
  const rng = createRng("words");
  const words = [0, 1, 2, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 2, 2 ** 32 - 1, 1000, 2 ** 32 - 1000];
  for (let bits = 3; bits < 32; bits++) words.push(2 ** bits, 2 ** 32 - 2 ** bits);
  while (words.length < 5000) words.push(rng.next());
  const { kernels, buffer, addresses } = dagKernels([words.length]);
  const noise = new Float32Array(buffer, addresses[0], words.length);
  const of = (kind: "gumbel" | "logistic"): number[] => {
    new Uint32Array(buffer, addresses[0], words.length).set(words);
    kernels[kind](addresses[0], words.length);
    return [...noise];
  };
  const [gumbel, logistic] = [of("gumbel"), of("logistic")];
  for (const [k, word] of words.entries()) {
    const u = (word + 0.5) * 2 ** -32;
    const rest = (2 ** 32 - word - 0.5) * 2 ** -32;
    const exponential = u < 0.5 ? -Math.log(u) : -Math.log1p(-rest);
    expect(Math.abs(gumbel[k] + Math.log(exponential))).toBeLessThan(2e-6);
    expect(Math.abs(logistic[k] - Math.log(u / rest))).toBeLessThan(4e-6);
  }
});
