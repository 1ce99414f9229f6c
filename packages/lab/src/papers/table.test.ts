import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRng } from "corral/random";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { tables } from "./index.ts";
import { describeTable, type Row, reproduceTable, table, threeDigits } from "./table.ts";
import { noSources } from "./testing/no-sources.ts";

let out: string;
beforeEach(() => {
  out = mkdtempSync(join(tmpdir(), "corral-table-"));
});
afterEach(() => rmSync(out, { recursive: true }));

const squares = table("test/table-1", {
  title: "Squares",
  caption: "Of two numbers.",
  columns: [
    { key: "name", label: "of" },
    { key: "square", label: "its\nsquare" },
    { key: "never", label: "never filled" },
  ],
  efforts: { smoke: "one", quick: "two", paper: "two" },
  async rows(scale) {
    const all: Row[] = [
      { name: "two, the first", square: 4 },
      { name: "three", square: 9.00049, never: null },
    ];
    return scale === "smoke" ? all.slice(0, 1) : all;
  },
  claims: [
    {
      text: "even",
      check: (rows) =>
        rows.map(({ square }) => ({ holds: Number(square) % 2 === 0, evidence: `${square} is even` })),
    },
    { text: "nothing to see", check: () => [] },
  ],
});

test("a table is written, and its claims judged by every row", async () => {
  const { claims, files, columns } = await reproduceTable(squares, {
    scale: "quick",
    out,
    rng: createRng(1),
    ...noSources,
  });
  expect(claims.map(({ verdict }) => verdict)).toEqual(["contradicted", "undecided"]);
  expect(columns.map(({ key }) => key)).toEqual(["name", "square"]);
  expect(readFileSync(files.csv, "utf8")).toBe('name,square\n"two, the first",4\nthree,9.00049\n');
  expect(JSON.parse(readFileSync(files.json, "utf8"))).toMatchObject({
    rows: [{ square: 4 }, {}],
    scale: "quick",
  });
  const svg = readFileSync(files.svg, "utf8");
  for (const text of ["Squares", "its", "square", "9", "Of two numbers."]) expect(svg).toContain(`>${text}<`);
  expect(svg).not.toContain("never");
  const smoke = await reproduceTable(squares, {
    scale: "smoke",
    out,
    rng: createRng(1),
    ...noSources,
  });
  expect(smoke.claims[0].verdict).toBe("reproduced");
  expect(describeTable(smoke)).toMatch(/^of +its square\ntwo, the first +4$/m);
  expect(describeTable(smoke)).toContain("reproduced: even\n    4 is even: holds");
});

test("a table can need a clock, be drawn as lines, and leave a claim open", async () => {
  let time = 0;
  const timed = table("test/table-2", {
    ...squares,
    rows: async (_scale, _rng, { now }) => [1, 2].map((k) => ({ name: "", square: k, never: now() })),
    drawing: (rows) => ({
      panels: [
        {
          x: { label: "square" },
          y: { label: "time" },
          curves: [
            {
              name: "of the clock",
              steps: rows.map(({ square }) => Number(square)),
              centre: rows.map(({ never }) => Number(never)),
            },
          ],
        },
      ],
    }),
    claims: [
      { text: "open", check: () => [{ evidence: "too few" }, { holds: true, evidence: "one" }] },
      { text: "refuted", check: () => [{ evidence: "too few" }, { holds: false, evidence: "one" }] },
    ],
  });
  const report = await reproduceTable(timed, {
    ...noSources,
    scale: "quick",
    out,
    rng: createRng(1),
    now: () => {
      time += 10;
      return time;
    },
  });
  expect(report.rows.map(({ never }) => never)).toEqual([10, 20]);
  expect(report.claims.map(({ verdict }) => verdict)).toEqual(["undecided", "contradicted"]);
  expect(describeTable(report)).toContain("undecided: open\n    too few: undecided\n    one: holds");
  expect(readFileSync(report.files.svg, "utf8")).toContain(">of the clock<");
});

test("numbers are shown with three digits", () => {
  expect([0, 0.0912345, 1.5, 123456, 0.0004, -2].map(threeDigits)).toEqual([
    "0",
    "0.0912",
    "1.5",
    "1.23e+5",
    "4.00e-4",
    "-2",
  ]);
});

test("a malformed table is refused where it is declared", () => {
  expect(() => table("Table 1", squares)).toThrow('expected an id such as "paper/table-1"');
  const column = { key: "a", label: "a" };
  expect(() => table("test/table-1", { ...squares, columns: [column, column] })).toThrow("the key a");
});

describe("the papers' tables", () => {
  test("Table 1 of Subteams: exact fits reproduce it, and only minimax errors never grow", async () => {
    const { rows, claims } = await reproduceTable(tables["subteams/table-1"], {
      scale: "quick",
      out,
      rng: createRng(1),
      ...noSources,
    });
    expect(claims.map(({ verdict }) => verdict)).toEqual(["reproduced", "reproduced", "contradicted"]);
    const failed = claims[2].checks.filter(({ holds }) => !holds);
    expect(failed.map(({ evidence }) => evidence)).toEqual([
      "N = 5, reward: 2.3800 of 2+3 ≤ 1.5600 of product",
    ]);
    const product = rows.find(({ agents, dag }) => agents === 3 && dag === "product")!;
    // For N = 3: the transition's errors are .39487 and two thirds of it; the reward's 2 and 4/3.
    expect(product["transition-leastSquares"]).toBeCloseTo(0.3949, 4);
    expect(product["transition-minimax"]).toBeCloseTo((2 / 3) * 0.394875, 5);
    expect(product["reward-minimax"]).toBeCloseTo(4 / 3, 6);
  });

  test("certificates hold every bound, and show that an equilibrium need not be optimal", async () => {
    const { rows, claims } = await reproduceTable(tables["bn-rates/certificates"], {
      scale: "smoke",
      out,
      rng: createRng(1),
      ...noSources,
    });
    expect(claims.map(({ verdict, checks }) => [verdict, checks.length])).toEqual([
      ["reproduced", 7],
      ["reproduced", 3],
      ["reproduced", 7],
      ["reproduced", 7],
      ["reproduced", 3],
    ]);
    const row = (game: string, dag: string) => rows.find((each) => each.game === game && each.dag === dag)!;
    // One state: every policy visits it equally, so that M is 1 and Lemma 2 bounds the gap by .2.
    const climbing = row("climbing", "product");
    expect([climbing.mismatch, climbing.lemma2]).toEqual([1, 0.2]);
    // In the climbing game independent agents settle on 7, full ones on 11, of a value range of 41 / 41 / (1 - .5).
    expect(Number(climbing.suboptimality)).toBeGreaterThan((11 - 7) / 41);
    expect(Number(row("climbing", "full").suboptimality)).toBeLessThan(0.1);
    // Three agents in the Coordination Game: the zero start of product policies is a saddle.
    expect(row("coordination, N = 3", "product")).toMatchObject({ steps: 0 });
    expect(Number(row("coordination, N = 3", "product").suboptimality)).toBeGreaterThan(0.5);
  });
});
