import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createRng, type Rng } from "../random/index.ts";
import { bernoulliDag, type Dag, parseTopology } from "../structure/index.ts";
import { ascendToLevel } from "./ascend-to-level.ts";
import { stationarityLevel } from "./bounds.ts";
import { type Certificate, certify, gameToJson } from "./certificate.ts";
import { denseGame, factoredCoordinationGame, gameFromJson, randomGame } from "./cooperative-game.ts";
import { practicalStepSize } from "./gradient-ascent.ts";
import { exactSoftmaxPolicy } from "./softmax-policy.ts";
import { gaussianTheta, thetaLayout } from "./theta-layout.ts";
import { type Verification, verifyCertificate } from "./verify-certificate.ts";

/** SHA-256 of JSON whose keys are sorted. */
const hash = (value: unknown): string =>
  createHash("sha256")
    .update(
      JSON.stringify(value, (_, item) =>
        typeof item === "object" && item !== null && !Array.isArray(item)
          ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
          : item,
      ),
    )
    .digest("hex");

/** As a file would bring it. */
const throughFile = (certificate: Certificate): Certificate => JSON.parse(JSON.stringify(certificate));
const verify = (certificate: Certificate): Verification => verifyCertificate(certificate, hash);
/** A certificate whose numbers were altered by someone who knows how its hashes are made. */
const rehash = ({ hash: _, ...rest }: Certificate): Certificate => {
  const hashed = { ...rest, gameHash: hash(rest.game) };
  return { ...hashed, hash: hash(hashed) };
};
const failures = ({ checks }: Verification) =>
  checks.flatMap(({ disagreements }) => disagreements.map(({ path }) => path));

const coordination = (agents: number, epsilon = 0.05) =>
  denseGame(factoredCoordinationGame({ agents, epsilon }));

async function stationaryCertificate(agents: number, topology: string, lambda: number): Promise<Certificate> {
  const game = coordination(agents);
  const dag = parseTopology(topology, agents);
  const policy = exactSoftmaxPolicy(game, dag);
  const ascent = ascendToLevel(policy, new Float64Array(policy.layout.size), {
    lambda,
    level: stationarityLevel(game, lambda),
    steps: 10_000,
    stepSize: practicalStepSize(agents),
  });
  let standing = ascent.next();
  while (!standing.done) standing = ascent.next();
  const { theta, reached } = standing.value;
  expect(reached).toBe(true);
  return throughFile(await certify(game, dag, theta, lambda, hash));
}

async function randomCertificate(
  rng: Rng,
  actions: readonly number[],
  {
    dag = bernoulliDag(actions.length, 0.5, rng),
    states = 3,
    lambda = 0,
    discount = 0.9,
  }: {
    dag?: Dag;
    states?: number;
    lambda?: number;
    discount?: number;
  } = {},
): Promise<Certificate> {
  const game = randomGame({ actions, states, discount }, rng);
  return throughFile(await certify(game, dag, gaussianTheta(thetaLayout(game, dag), rng), lambda, hash));
}

describe("the verifier agrees with the solver", () => {
  test("on random games, DAGs, policies and barriers", async () => {
    const cases = fc.record({
      actions: fc.constantFrom([2, 2], [3, 2], [2, 1, 2], [4], [2, 2, 2]),
      states: fc.integer({ min: 1, max: 4 }),
      discount: fc.constantFrom(0, 0.5, 0.9, 0.99),
      lambda: fc.constantFrom(0, 0.01, 2),
      seed: fc.integer({ min: 0, max: 1e6 }),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ actions, seed, ...options }) => {
        const rng = createRng(seed);
        const certificate = await randomCertificate(rng, actions, options);
        expect(failures(verify(certificate))).toEqual([]);
      }),
      { numRuns: 60, seed: 1 },
    );
  });

  test("on sparse games with few initial states, no future or a long one, and rewards of any size", async () => {
    for (let seed = 0; seed < 300; seed++) {
      const rng = createRng(`sparse/${seed}`);
      const pick = <T>(choices: readonly T[]): T => choices[rng.integer(choices.length)];
      const actions = pick([[2, 2], [3, 2], [4], [2, 2, 2]]);
      const states = 1 + rng.integer(5);
      const game = randomGame({ actions, states, discount: pick([0, 0.9, 0.9999]) }, rng);
      for (let row = 0; row < game.transition.length; row += states) {
        // Some entries are zero, some nearly so, and one is what remains.
        const kept = row + rng.integer(states);
        for (let at = row; at < row + states; at++) game.transition[at] *= pick([0, 1e-6, 1]);
        game.transition[kept] = 0;
        game.transition[kept] = 1 - game.transition.subarray(row, row + states).reduce((a, b) => a + b, 0);
      }
      if (rng.integer(2) === 0) game.initial.fill(0).fill(1, 0, 1);
      const scale = pick([0, 1, -1, 1e-6, 1e6]);
      game.reward.forEach((one, at) => {
        game.reward[at] = scale * one;
      });
      const dag = bernoulliDag(actions.length, 0.5, rng);
      const spread = pick([0, 1, 50]);
      const theta = gaussianTheta(thetaLayout(game, dag), rng).map((entry) => spread * entry);
      const certificate = throughFile(await certify(game, dag, theta, pick([0, 1e-9, 1, 100]), hash));
      expect({ seed, failures: failures(verify(certificate)) }).toEqual({ seed, failures: [] });
    }
  });

  test("where parameters leave actions no probability to speak of", async () => {
    const rng = createRng("saturated");
    const game = randomGame({ actions: [2, 3], states: 3 }, rng);
    const dag = parseTopology("full", 2);
    const theta = gaussianTheta(thetaLayout(game, dag), rng).map((entry) => 400 * entry);
    expect(failures(verify(throughFile(await certify(game, dag, theta, 0.1, hash))))).toEqual([]);
  });

  test("at a saddle, where a gradient is zero up to rounding and so is the level", async () => {
    const game = coordination(3);
    const dag = parseTopology("product", 3);
    const zero = new Float64Array(thetaLayout(game, dag).size);
    for (const lambda of [0, 1e-13]) {
      const certificate = throughFile(await certify(game, dag, zero, lambda, hash));
      expect(certificate.gradientNorm).toBeLessThan(1e-12);
      expect(failures(verify(certificate))).toEqual([]);
    }
  });

  test("where some policy never visits a state", async () => {
    // State 2 is entered by joint action 1 alone, and state 3 never.
    const rows = (action: number) => [
      [0.5, 0.5, 0, 0],
      action === 1 ? [0, 0.5, 0.5, 0] : [0.5, 0.5, 0, 0],
      [0.5, 0.5, 0, 0],
      [0, 1, 0, 0],
    ];
    const game = gameFromJson({
      actions: [2, 1],
      states: 4,
      transition: [0, 1, 2, 3].map((s) => [0, 1].map((a) => rows(a)[s])),
      reward: [0, 1, 2, 3].map((s) => [s, 2 * s]),
      initial: [0.5, 0.5, 0, 0],
      discount: 0.9,
    });
    const dag = parseTopology("full", 2);
    const theta = new Float64Array(thetaLayout(game, dag).size);
    const certificate = throughFile(await certify(game, dag, theta, 0.1, hash));
    expect(certificate.mismatch).toBeNull();
    expect(certificate.unvisitedStates).toEqual([2, 3]);
    expect(certificate.bounds.lemma2).toMatchObject({
      printed: null,
      holds: null,
      premises: { everyStateVisited: false },
    });
    expect(failures(verify(certificate))).toEqual([]);
    expect(failures(verify(rehash({ ...certificate, unvisitedStates: [2] })))).toEqual([
      "unvisitedStates[1]",
    ]);
  });

  test.each(["line", "1+2", "product", "full"])(
    "at the stationarity level of %s, where lemmas hold",
    async (topology) => {
      const certificate = await stationaryCertificate(3, topology, 0.1);
      expect(failures(verify(certificate))).toEqual([]);
      const { lemma2, lemma3Subteams, lemma3BnRates } = certificate.bounds;
      expect(lemma2.premises).toEqual({ barrier: true, stationary: true, everyStateVisited: true });
      expect(lemma2.holds).toBe(true);
      expect(lemma3Subteams.holds).toBe(topology === "line" ? null : true);
      expect(lemma3BnRates.holds).toBe(topology === "full" ? true : null);
    },
  );
});

/** Every number of a JSON value with the keys that lead to it. */
function numericLeaves(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value === "number") return [path];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => numericLeaves(item, [...path, key]));
}

function alter(
  certificate: Certificate,
  path: readonly string[],
  change: (value: number) => number,
): Certificate {
  const copy = structuredClone(certificate);
  // biome-ignore lint/suspicious/noExplicitAny: any number in it may be altered.
  const parent = path.slice(0, -1).reduce((part: any, key) => part[key], copy);
  const [last] = path.slice(-1);
  const before = parent[last];
  parent[last] = change(before);
  expect(parent[last]).not.toBe(before);
  return copy;
}

const changes: readonly ((value: number) => number)[] = [
  (value) => (value === 0 ? 1e-3 : value * 1.01),
  (value) => value + 1e-3,
  (value) => value - 1,
  (value) => (value === 0 ? 5 : -value),
];

describe("the verifier rejects", () => {
  test("every one of 200 numbers altered, wherever it stands", async () => {
    const certificate = await stationaryCertificate(3, "1+2", 0.1);
    expect(verify(certificate).passed).toBe(true);
    const leaves = numericLeaves(certificate);
    const rng = createRng("mutations");
    for (let k = 0; k < 200; k++) {
      const path = leaves[rng.integer(leaves.length)];
      const altered = alter(certificate, path, changes[k % changes.length]);
      expect(verify(altered).passed, path.join(".")).toBe(false);
    }
  });

  test("every number that matters, by recomputation, when the hashes are made to fit", async () => {
    const certificate = await stationaryCertificate(3, "1+2", 0.1);
    expect(verify(rehash(certificate)).passed).toBe(true);
    const leaves = numericLeaves(certificate);
    const firstOfEach = new Map(
      leaves.map((path) => [path.filter((key) => !/^\d+$/.test(key)).join("."), path]),
    );
    expect(firstOfEach.size).toBeGreaterThan(30);
    const rng = createRng("forgeries");
    const chosen = [...firstOfEach.values()];
    while (chosen.length < 100) chosen.push(leaves[rng.integer(leaves.length)]);
    chosen.forEach((path, k) => {
      // Alterations that move a probability of a state from one place to another would not be altered by one number.
      const verification = verify(rehash(alter(certificate, path, changes[k % changes.length])));
      expect(verification.passed, path.join(".")).toBe(false);
    });
  });

  test("a result, naming where it stands, what it is and what it must be", async () => {
    const certificate = await stationaryCertificate(2, "full", 0.1);
    const altered = structuredClone(certificate) as { equilibriumGap: number[] } & Certificate;
    altered.equilibriumGap[1] += 1e-6;
    const { checks } = verify(rehash(altered));
    expect(checks.flatMap(({ disagreements }) => disagreements)).toEqual([
      {
        path: "equilibriumGap[1]",
        found: altered.equilibriumGap[1],
        expected: expect.closeTo(certificate.equilibriumGap[1], 9),
      },
    ]);
  });

  test("verdicts turned round", async () => {
    const certificate = await stationaryCertificate(2, "full", 0.1);
    const { lemma2 } = certificate.bounds;
    for (const [forged, path] of [
      [{ ...lemma2, holds: false }, "bounds.lemma2.holds"],
      [
        { ...lemma2, premises: { ...lemma2.premises, stationary: false } },
        "bounds.lemma2.premises.stationary",
      ],
    ] as const) {
      const bounds = { ...certificate.bounds, lemma2: forged };
      expect(failures(verify(rehash({ ...certificate, bounds })))).toEqual([path]);
    }
  });

  test("edges with a cycle and parameters of another shape", async () => {
    const certificate = await stationaryCertificate(2, "full", 0.1);
    const edges = [
      [0, 1],
      [1, 0],
    ] as const;
    expect(failures(verify(rehash({ ...certificate, edges })))).toContain("edges");
    const theta = certificate.theta.slice(1);
    expect(failures(verify(rehash({ ...certificate, theta })))).toEqual(["theta.length"]);
  });

  test.each([
    [(c: Certificate) => ({ ...c, format: "corral certificate 2" }), /^certificate: format: /],
    [({ value: _, ...rest }: Certificate) => rest, /^certificate: value: /],
    [(c: Certificate) => ({ ...c, lambda: "0.1" }), /^certificate: lambda: .*expected number/],
    [(c: Certificate) => ({ ...c, more: 1 }), /^certificate: .*"more"/],
    [() => [], /^certificate: .*expected object/],
  ])("what is no certificate, in one line %#", async (spoil, message) => {
    const certificate = await stationaryCertificate(2, "full", 0.1);
    expect(() => verifyCertificate(spoil(certificate), hash)).toThrow(message);
  });
});

test("the verifier shares no code with the solver", () => {
  const source = readFileSync(new URL("./verify-certificate.ts", import.meta.url), "utf8");
  const imports = [...source.matchAll(/from "(.+)"/g)].map(([, from]) => from);
  expect(imports).toEqual(["zod", "../errors.ts"]);
});

test("a game's JSON makes the same game", () => {
  const game = randomGame({ actions: [2, 3], states: 3 }, createRng("json"));
  expect(gameFromJson(JSON.parse(JSON.stringify(gameToJson(game))))).toEqual(game);
});
