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
  out = mkdtempSync(join(tmpdir(), "corral-agp-"));
});
afterEach(() => rmSync(out, { recursive: true }));

test("agp/theory: the theorems that hold hold, and the slips of their proofs show", async () => {
  const { rows, claims } = await reproduceTable(tables["agp/theory"], {
    scale: "smoke",
    out,
    rng: createRng(1),
    ...noSources,
  });
  const verdicts = Object.fromEntries(claims.map(({ text, verdict }) => [text, verdict]));
  const [reproduced, contradicted] = ["reproduced", "contradicted"].map((verdict) =>
    Object.keys(verdicts).filter((text) => verdicts[text] === verdict),
  );
  expect(reproduced.map((text) => text.slice(0, 40))).toEqual([
    "Equation 9: agents that act with one pro",
    "Section 5.1: independent policies succee",
    "Theorems 3.1 and 4.1: there are games in",
    "Theorem 3.1, proof: in a game with a hid",
    "Theorem 3.2: agents that are greedy by t",
    "Theorem B.1: no sum of payoffs of single",
    "Theorem C.1, proof: independent policies",
    "Not in the paper: where agents share a r",
  ]);
  expect(contradicted.map((text) => text.slice(0, 40))).toEqual([
    "Section 3: optimal independent policies ",
    "Section 5.1: the reason is how often exa",
    "Section 5.1: no baseline exceeds what in",
    "Theorem 3.1, proof: that they are indepe",
    "Theorem 3.2, proof: the first table is t",
    "Theorem 3.2, proof: value decomposition ",
    "Theorem 3.2: independent policies cannot",
    "Theorem B.1, proof: the third-order inte",
    "Theorem 4.1, proof: independent policies",
    "Theorem C.1: they are at least log N fro",
    "Theorems C.1 and 4.2: action-graph polic",
  ]);
  // Each row belongs to one claim, and each claim has its rows.
  expect(claims.reduce((sum, { checks }) => sum + checks.length, 0)).toBe(rows.length);

  const computed = (quantity: string) => rows.find((row) => row.quantity === quantity)?.computed;
  expect(computed("success in Top-2 of 6: best policies of own signals")).toBeCloseTo(240 / 729, 7);
  expect(computed("success of agents that act with p = 1/3 whatever they see")).toBeCloseTo(
    240 / 729 / 15,
    9,
  );
  expect(computed("first table: error of the best sum of utilities")).toBeCloseTo(1.25, 12);
  expect(computed("second table: error of the best sum of utilities")).toBeCloseTo(1.75, 12);
  expect(computed("parity: interaction of three agents")).toBe(4);
  expect(computed("one-hot, N = 6: least divergence")).toBeCloseTo(-5 * Math.log(5 / 6), 9);
  // The terms of the first table are 3, -2, 0, 0 where it says 3, 0, 0, 2.
  expect(computed("first table: spread of what its terms leave over")).toBe(2);
});
