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
  expect(claims.map(({ text, verdict }) => [text.slice(0, 60), verdict])).toEqual([
    ["Theorem 4.2, rewards of at most 0 as the paper's network ask", "reproduced"],
    ["Theorem 4.2, rewards of at most 0: the lower bound, in the t", "reproduced"],
    ["Theorem 4.2, rewards of at most 0: the upper bound", "contradicted"],
    ["(beyond the paper) rewards of either sign: Qhat never adds v", "contradicted"],
    ["(in its place) the reduction is E[(Qbar² + 2 Qhat Qbar) |sco", "reproduced"],
    ["(in its place) centred, both bounds hold, the lower one with", "reproduced"],
  ]);
  const [ofThree, , ofTwo] = rows;
  // The cross term is most of it; and where Qhat depends on everybody the printed bounds are 0.
  expect(Number(ofThree.reduction)).toBeGreaterThan(3 * Number(ofThree.withoutCrossTerm));
  expect(ofTwo).toMatchObject({ upper: 0, aboveUpper: 1 });
  expect(Number(ofTwo.reduction)).toBeGreaterThan(1);
});
