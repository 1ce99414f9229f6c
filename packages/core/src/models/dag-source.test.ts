import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InputError } from "../errors.ts";
import { createRng } from "../random/index.ts";
import { adjacency, buildSubteams, fromAdjacency, parseTopology } from "../structure/index.ts";
import { type DagSource, dagWriter, meanDensity, parseDagSource } from "./dag-source.ts";

const FORMS =
  "expected a form such as product, full, line, line-truncated, heuristic(4), random(4), bernoulli(0.5), learned, 2+3, edges:0>1.";

/** One draw, as an adjacency matrix and an order. */
function drawOne(source: DagSource, agents: number, seed: number | string = 0, scores?: Float32Array) {
  const rows = { adjacency: new Uint8Array(agents * agents), order: new Int32Array(agents) };
  source.draw(0, rows, { rng: createRng(seed), scores });
  return { adjacency: [...rows.adjacency], order: [...rows.order] };
}

/** Scores of bits: minus the distance of each pair. */
const bitScores = (bits: readonly number[]): Float32Array =>
  Float32Array.from(bits.flatMap((x) => bits.map((y) => -Math.abs(x - y))));

/** That the order puts parents first, and stages cut it so that no agent shares a stage with a parent. */
function expectActsInOrder(
  source: DagSource,
  agents: number,
  matrix: readonly number[],
  order: readonly number[],
) {
  expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: agents }, (_, i) => i));
  const stageOf = source.stages.flatMap((width, stage) => new Array<number>(width).fill(stage));
  expect(stageOf).toHaveLength(agents);
  for (let j = 0; j < agents; j++) {
    for (let i = 0; i < agents; i++) {
      if (matrix[j * agents + i] === 0) continue;
      expect(stageOf[order.indexOf(j)], `parent ${j} of ${i}`).toBeLessThan(stageOf[order.indexOf(i)]);
    }
  }
}

describe("parsing", () => {
  test.each([
    ["product", [5]],
    ["full", [1, 1, 1, 1, 1]],
    ["line", [1, 1, 1, 1, 1]],
    ["line-truncated", [2, 1, 1, 1]],
    ["2+3", [2, 2, 1]],
    ["edges:0>1,0>2", [3, 2]],
    ["edges:4>0", [4, 1]],
  ])("%s is a constant that acts in as few stages as there are levels", (text, stages) => {
    const source = parseDagSource(text, 5, false);
    expect(source).toMatchObject({ name: text, randomness: "none", readsScores: false });
    expect(source.note).toBeUndefined();
    expect(source.stages).toEqual(stages);
    const drawn = drawOne(source, 5);
    expect(drawn.adjacency).toEqual([...adjacency(parseTopology(text, 5))]);
    expectActsInOrder(source, 5, drawn.adjacency, drawn.order);
  });

  test.each([
    ["heuristic(4)", "none", true],
    ["heuristic(4,lexicographic)", "none", true],
    ["heuristic(4,default)", "none", true],
    ["heuristic(0)", "none", true],
    ["random(4)", "step", false],
    ["random(4,step)", "step", false],
    ["random(4,episode)", "episode", false],
    ["bernoulli(0.5)", "step", false],
    ["bernoulli(1e-1)", "step", false],
  ])("%s is drawn and acts one by one", (text, randomness, readsScores) => {
    const source = parseDagSource(text, 5, true);
    expect(source).toMatchObject({ name: text, randomness, readsScores });
    expect(source.note).toBeUndefined();
    expect(source.stages).toEqual([1, 1, 1, 1, 1]);
  });

  test("spaces do not matter", () => {
    expect(parseDagSource(" random( 4, episode ) ", 5, true).name).toBe("random(4,episode)");
    expect(parseDagSource("2 + 3", 5, true).stages).toEqual([2, 2, 1]);
    expect(parseDagSource("edges: 0>1, 1>2", 5, true).stages).toEqual([3, 1, 1]);
  });

  test("a budget above the number of pairs is accepted with a note", () => {
    expect(parseDagSource("random(10)", 5, true).note).toBeUndefined();
    for (const text of ["random(11)", "heuristic(11)"]) {
      const source = parseDagSource(text, 5, true);
      expect(source.note).toBe(`dag=${text}: 5 agents have at most 10 edges; the rest is unused`);
      const { adjacency: matrix } = drawOne(source, 5, 0, bitScores([0, 1, 0, 1, 1]));
      expect(matrix.reduce((sum, entry) => sum + entry, 0)).toBe(10);
    }
  });

  test.each([
    ["7+9", `topology "7+9": block sizes sum to 16, expected 5 (one for each agent), for example 2+3`],
    ["2+0+3", `topology "2+0+3": got an empty block, expected sizes of at least 1, for example 1+2+2`],
    ["edges:0>9", `topology "edges:0>9": edge 0>9: no agent 9, expected 0..4`],
    ["edges:0>1,1>0", `topology "edges:0>1,1>0": the edges form the cycle 0>1>0`],
    ["edges:1>1", `topology "edges:1>1": edge 1>1: agent 1 cannot read its own action`],
    ["heuristic", `dag=heuristic: ${FORMS} Did you mean "heuristic(4)"?`],
    ["heuristc(4)", `dag=heuristc(4): ${FORMS} Did you mean "heuristic(4)"?`],
    ["HEURISTIC(4)", `dag=HEURISTIC(4): ${FORMS} Did you mean "heuristic(4)"?`],
    ["heuristic(4", `dag=heuristic(4: ${FORMS} Did you mean "heuristic(4)"?`],
    ["random", `dag=random: ${FORMS} Did you mean "random(4)"?`],
    ["randm[4]", `dag=randm[4]: ${FORMS} Did you mean "random(4)"?`],
    ["bernouli", `dag=bernouli: ${FORMS} Did you mean "bernoulli(0.5)"?`],
    ["Product", `dag=Product: ${FORMS} Did you mean "product"?`],
    ["full(3)", `dag=full(3): ${FORMS} Did you mean "full"?`],
    ["edge:0>1", `dag=edge:0>1: ${FORMS} Did you mean "edges:0>1"?`],
    ["toString", `dag=toString: ${FORMS}`],
    ["", `dag=: ${FORMS}`],
    ["heuristic()", `dag=heuristic(): expected an edge budget, an integer of at least 0 (got "")`],
    ["random(-1)", `dag=random(-1): expected an edge budget, an integer of at least 0 (got "-1")`],
    ["random(2.5)", `dag=random(2.5): expected an edge budget, an integer of at least 0 (got "2.5")`],
    ["random(0x4)", `dag=random(0x4): expected an edge budget, an integer of at least 0 (got "0x4")`],
    ["random(4,)", `dag=random(4,): unknown option "", expected step or episode`],
    ["random(4,epoch)", `dag=random(4,epoch): unknown option "epoch", expected step or episode`],
    ["random(4,step,7)", "dag=random(4,step,7): expected at most one option, got 2"],
    ["heuristic(4,x)", `dag=heuristic(4,x): unknown option "x", expected default or lexicographic`],
    ["bernoulli()", `dag=bernoulli(): expected an edge probability in [0, 1] (got "")`],
    ["bernoulli(1.1)", `dag=bernoulli(1.1): expected an edge probability in [0, 1] (got "1.1")`],
    ["bernoulli(.5,step)", `dag=bernoulli(.5,step): expected an edge probability in [0, 1] (got ".5,step")`],
  ])("%s is refused", (text, message) => {
    expect(() => parseDagSource(text, 5, true)).toThrow(new InputError(message));
  });

  test("the heuristic needs dependency scores", () => {
    expect(() => parseDagSource("heuristic(4)", 5, false)).toThrow(
      new InputError("dag=heuristic(4): this environment gives no dependency scores; try random(4) or full"),
    );
  });
});

describe("drawing", () => {
  const bits = fc.array(fc.constantFrom(0, 1), { minLength: 5, maxLength: 5 });

  test("the heuristic draws what Algorithm 1 builds from the row's scores, under both ties", () => {
    fc.assert(
      fc.property(bits, bits, fc.integer({ min: 0, max: 12 }), (first, second, budget) => {
        for (const tie of ["default", "lexicographic"] as const) {
          const source = parseDagSource(`heuristic(${budget},${tie})`, 5, true);
          const scores = Float32Array.of(...bitScores(first), ...bitScores(second));
          const rows = { adjacency: new Uint8Array(50), order: new Int32Array(10) };
          source.draw(1, rows, { scores, rng: createRng(0) });
          const { dag } = buildSubteams(bitScores(second), 5, { budget, tie });
          const matrix = [...rows.adjacency.subarray(25)];
          expect(matrix).toEqual([...adjacency(dag)]);
          expectActsInOrder(source, 5, matrix, [...rows.order.subarray(5)]);
        }
      }),
    );
  });

  test("random DAGs have the budget's edges, are acyclic and differ", () => {
    const source = parseDagSource("random(4)", 5, false);
    const found = new Set<string>();
    for (let seed = 0; seed < 50; seed++) {
      const { adjacency: matrix, order } = drawOne(source, 5, seed);
      expect(matrix.reduce((sum, entry) => sum + entry, 0)).toBe(4);
      expect(() => fromAdjacency(5, matrix)).not.toThrow();
      expectActsInOrder(source, 5, matrix, order);
      found.add(matrix.join(""));
    }
    expect(found.size).toBeGreaterThan(45);
  });

  test("every ordered pair is equally likely to be joined", () => {
    const source = parseDagSource("random(4)", 5, false);
    const counts = new Array<number>(25).fill(0);
    const rng = createRng(5);
    const rows = { adjacency: new Uint8Array(25), order: new Int32Array(5) };
    const draws = 5000;
    for (let k = 0; k < draws; k++) {
      source.draw(0, rows, { rng });
      for (let entry = 0; entry < 25; entry++) counts[entry] += rows.adjacency[entry];
    }
    // 4 edges over 20 ordered pairs: 1/5 each, standard error .0057.
    for (let entry = 0; entry < 25; entry++) {
      const expected = entry % 6 === 0 ? 0 : 0.2;
      expect(Math.abs(counts[entry] / draws - expected), `entry ${entry}`).toBeLessThan(0.025);
    }
  });

  test("bernoulli(1) is full, bernoulli(0) is product, between them density is the probability", () => {
    const full = [...adjacency(parseTopology("full", 5))];
    expect(drawOne(parseDagSource("bernoulli(1)", 5, false), 5).adjacency).toEqual(full);
    expect(drawOne(parseDagSource("bernoulli(0)", 5, false), 5).adjacency).toEqual(new Array(25).fill(0));
    const source = parseDagSource("bernoulli(0.3)", 5, false);
    let edges = 0;
    for (let seed = 0; seed < 500; seed++) {
      const { adjacency: matrix, order } = drawOne(source, 5, seed);
      edges += matrix.reduce((sum, entry) => sum + entry, 0);
      expect(order).toEqual([0, 1, 2, 3, 4]);
      expect(matrix.every((entry, k) => entry <= full[k])).toBe(true);
    }
    // 5000 trials: standard error .0065.
    expect(Math.abs(edges / 5000 - 0.3)).toBeLessThan(0.025);
  });
});

describe("writing batches", () => {
  const batchOf = (size: number, agents: number) => ({
    parents: new Float32Array(size * agents * agents).fill(7),
    order: new Int32Array(size * agents).fill(7),
  });

  test("rows of a batch are transposed: an agent's row marks its parents", () => {
    const batch = batchOf(2, 3);
    dagWriter(parseDagSource("edges:2>0,0>1", 3, false), 2, 3).draw({ rng: createRng(0) }, batch);
    // Agent 0 reads 2, agent 1 reads 0, agent 2 nobody.
    const rows = [0, 0, 1, 1, 0, 0, 0, 0, 0];
    expect([...batch.parents]).toEqual([...rows, ...rows]);
    expect([...batch.order]).toEqual([2, 0, 1, 2, 0, 1]);
  });

  test("a constant is written once to each memory", () => {
    const writer = dagWriter(parseDagSource("full", 3, false), 2, 3);
    const first = batchOf(2, 3);
    const second = batchOf(2, 3);
    const context = { rng: createRng(0) };
    writer.draw(context, first);
    first.parents[0] = 5;
    writer.draw(context, first);
    expect(first.parents[0]).toBe(5);
    writer.draw(context, second);
    expect([...second.parents]).toEqual([0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0, 0, 1, 1, 0]);
    writer.draw(context, first);
    expect(first.parents).toEqual(second.parents);
  });

  test("scores are read anew at every draw", () => {
    const writer = dagWriter(parseDagSource("heuristic(1)", 3, true), 1, 3);
    const batch = batchOf(1, 3);
    const rng = createRng(0);
    writer.draw({ rng, scores: bitScores([0, 1, 1]) }, batch);
    expect([...batch.parents]).toEqual([0, 0, 0, 0, 0, 0, 0, 1, 0]);
    writer.draw({ rng, scores: bitScores([0, 1, 0]) }, batch);
    expect([...batch.parents]).toEqual([0, 0, 0, 0, 0, 0, 1, 0, 0]);
  });

  test("a DAG of an episode keeps its row until the copy starts anew; one of a step does not", () => {
    const context = { rng: createRng(1) };
    const rowsOf = (batch: { parents: Float32Array; order: Int32Array }, b: number) =>
      [...batch.parents.subarray(b * 36, b * 36 + 36), ...batch.order.subarray(b * 6, b * 6 + 6)].join("");
    for (const [text, kept] of [
      ["random(7,episode)", true],
      ["random(7,step)", false],
    ] as const) {
      const writer = dagWriter(parseDagSource(text, 6, false), 3, 6);
      const batch = batchOf(3, 6);
      writer.draw(context, batch);
      const before = [0, 1, 2].map((b) => rowsOf(batch, b));
      writer.draw(context, batch, (b) => b === 1);
      const after = [0, 1, 2].map((b) => rowsOf(batch, b));
      expect([after[0] === before[0], after[1] === before[1], after[2] === before[2]]).toEqual([
        kept,
        false,
        kept,
      ]);
      writer.draw(context, batch);
      expect(rowsOf(batch, 0)).not.toBe(after[0]);
    }
  });

  test("a new writer on memory that holds an episode's DAGs leaves rows that are not fresh alone", () => {
    const source = parseDagSource("random(7,episode)", 6, false);
    const batch = batchOf(2, 6);
    dagWriter(source, 2, 6).draw({ rng: createRng(1) }, batch);
    const before = batch.parents.slice();
    dagWriter(source, 2, 6).draw({ rng: createRng(2) }, batch, () => false);
    expect(batch.parents).toEqual(before);
  });

  test("mean density counts edges over pairs", () => {
    expect(meanDensity(Float32Array.of(0, 0, 0, 1, 0, 0, 1, 1, 0), 1, 3)).toBe(1);
    expect(meanDensity(Float32Array.of(0, 0, 1, 0, 0, 0, 0, 0), 2, 2)).toBe(0.5);
    expect(meanDensity(Float32Array.of(0), 1, 1)).toBe(0);
  });
});
