import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRng } from "corral/random";
import { afterEach, beforeEach, expect, test } from "vitest";
import { tables } from "./index.ts";
import { reproduceTable } from "./table.ts";
import { noSources } from "./testing/no-sources.ts";

let out: string;
beforeEach(() => {
  out = mkdtempSync(join(tmpdir(), "corral-mabn-"));
});
afterEach(() => rmSync(out, { recursive: true }));

test("mabn/variance: theorem 4.2 fails as printed and holds centred", async () => {
  const options = { scale: "smoke", out, rng: createRng(1), ...noSources } as const;
  const { rows, claims } = await reproduceTable(tables["mabn/variance"], options);
  expect(claims.map(({ text, verdict }) => [text.slice(0, 40), verdict])).toEqual([
    ["“the total variance of our P-DTDE policy", "contradicted"],
    ["the same, of rewards that are at most 0", "reproduced"],
    ["Theorem 4.2, lower bound (as stated, and", "contradicted"],
    ["the same, of rewards that are at most 0", "reproduced"],
    ["Theorem 4.2, upper bound", "contradicted"],
    ["(in its place) the reduction is E[(Qbar²", "reproduced"],
    ["(in its place) centred, both bounds hold", "reproduced"],
  ]);
  const [ofThree, , ofTwo] = rows;
  // The cross term is most of it; and where Qhat depends on everybody the printed bounds are 0.
  expect(Number(ofThree.reduction)).toBeGreaterThan(3 * Number(ofThree.withoutCrossTerm));
  expect(ofTwo).toMatchObject({ upper: 0, aboveUpper: 1 });
  expect(Number(ofTwo.reduction)).toBeGreaterThan(1);
});
