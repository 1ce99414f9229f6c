import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { capacityFor } from "../tensor/index.ts";
import { type BnActorOptions, bnActor } from "./bn-actor.ts";
import { type ConditionalRows, conditionalRowBuilder, type JointSamples } from "./conditional-rows.ts";

const actorOf = (options: Pick<BnActorOptions, "agents" | "observationSize" | "actions" | "parentInput">) =>
  bnActor("actor", { ...options, hidden: 4, inputNorm: false, hiddenNorm: false, heads: "per-agent" });

/** The inputs of a program of the sizes that rows ask for, filled with junk and then by the rows. */
function filled(rows: ConditionalRows, observationSize: number, width: number, actions?: number) {
  const [observations, parents, count] = rows.sizes;
  const inputs = {
    observations: new Float32Array(observations * observationSize).fill(9),
    parents: new Float32Array(parents * width).fill(9),
    observationRow: new Int32Array(count).fill(-9),
    parentRow: new Int32Array(count).fill(-9),
    available: actions === undefined ? undefined : new Float32Array(count * actions).fill(9),
  };
  rows.fill(inputs);
  return inputs;
}

/** The parent input of one agent in one sample, written out. */
function parentInput(samples: JointSamples, shape: Shape, n: number, i: number): number[] {
  const { agents, observationSize, actions, parentInput: kind } = shape;
  return Array.from({ length: agents }, (_, j) => {
    const read = samples.parents[(n * agents + i) * agents + j];
    const at = (n * agents + j) * observationSize;
    const seen = kind === "actions" ? [] : [...samples.observations.subarray(at, at + observationSize)];
    const oneHot = Array.from({ length: actions }, (_, a) => (samples.actions[n * agents + j] === a ? 1 : 0));
    return [...seen, ...oneHot].map((x) => x * read);
  }).flat();
}

type Shape = Pick<BnActorOptions, "agents" | "observationSize" | "actions" | "parentInput"> & {
  readonly samples: number;
};

const shapes: fc.Arbitrary<Shape> = fc.record({
  agents: fc.integer({ min: 1, max: 4 }),
  observationSize: fc.integer({ min: 1, max: 2 }),
  actions: fc.integer({ min: 2, max: 3 }),
  parentInput: fc.constantFrom("actions", "observations-and-actions"),
  samples: fc.integer({ min: 1, max: 12 }),
});

const cases = shapes.chain((shape) => {
  const { agents: N, observationSize: O, actions: A, samples: R } = shape;
  const entries = (count: number, of: fc.Arbitrary<number>) =>
    fc.array(of, { minLength: count, maxLength: count });
  const bit = fc.constantFrom(0, 1);
  return fc.record({
    shape: fc.constant(shape),
    observations: entries(R * N * O, fc.constantFrom(1, 2.5)),
    parents: entries(R * N * N, bit),
    actions: entries(R * N, fc.integer({ min: 0, max: A - 1 })),
    available: fc.option(entries(R * N * A, bit), { nil: undefined }),
    tag: fc.option(entries(R * N, fc.constantFrom(-0.5, -0.25)), { nil: undefined }),
    take: fc.option(fc.uniqueArray(fc.integer({ min: 0, max: R - 1 }), { minLength: 1 }), {
      nil: undefined,
    }),
  });
});

describe("conditionalRowBuilder", () => {
  test("every decision is found again in the tables, and equal decisions share a row", () => {
    fc.assert(
      fc.property(cases, ({ shape, take, ...values }) => {
        const { agents, observationSize, actions } = shape;
        const actor = actorOf(shape);
        const samples: JointSamples = {
          observations: Float32Array.from(values.observations),
          // A diagonal of ones would mean that agents read their own action.
          parents: Float32Array.from(values.parents, (entry, k) =>
            Math.floor(k / agents) % agents === k % agents ? 0 : entry,
          ),
          actions: Int32Array.from(values.actions),
          available: values.available && Float32Array.from(values.available),
          tag: values.tag && Float32Array.from(values.tag),
        };
        const build = conditionalRowBuilder(actor, shape.samples);
        build(samples);
        const rows = build(samples, take && Int32Array.from(take));
        const inputs = filled(rows, observationSize, actor.parentInputSize, values.available && actions);
        const texts = new Map<string, number>();
        const distinct = [new Set<string>(), new Set<string>()];
        for (const [n, sample] of (take ?? Array.from({ length: shape.samples }, (_, k) => k)).entries()) {
          for (let i = 0; i < agents; i++) {
            const row = rows.rowOf[n * agents + i];
            const own = sample * agents + i;
            const tables = [
              [inputs.observations, inputs.observationRow, observationSize],
              [inputs.parents, inputs.parentRow, actor.parentInputSize],
            ] as const;
            const found = tables.map(([table, index, width]) => {
              expect(index[row] % agents).toBe(i);
              const start = Math.floor(index[row] / agents) * width;
              return [...table.subarray(start, start + width)];
            });
            const observation = [
              ...samples.observations.subarray(own * observationSize, (own + 1) * observationSize),
            ];
            const told = parentInput(samples, shape, sample, i);
            expect(found).toEqual([observation, told]);
            const mask = samples.available?.subarray(own * actions, (own + 1) * actions);
            expect(inputs.available?.subarray(row * actions, (row + 1) * actions)).toEqual(mask);

            distinct[0].add(observation.join());
            distinct[1].add(told.join());
            const text = [i, found, mask, samples.tag?.[own]].join(";");
            expect(texts.get(text) ?? row).toBe(row);
            texts.set(text, row);
          }
        }
        // As many rows as decisions that differ: two different ones never share a row.
        expect(rows.count).toBe(texts.size);
        expect(new Set(texts.values()).size).toBe(texts.size);
        expect(rows.sizes).toEqual([
          capacityFor(distinct[0].size),
          capacityFor(distinct[1].size),
          capacityFor(texts.size),
        ]);
      }),
      { numRuns: 200 },
    );
  });

  test("what is left of a program's inputs asks harmless questions", () => {
    const actor = actorOf({ agents: 9, observationSize: 1, actions: 2, parentInput: "actions" });
    const samples: JointSamples = {
      observations: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9),
      parents: new Float32Array(81),
      actions: new Int32Array(9),
      available: new Float32Array(18).fill(0),
    };
    const rows = conditionalRowBuilder(actor, 3)(samples);
    expect(rows.count).toBe(9);
    expect(rows.sizes).toEqual([10, 1, 10]);
    const inputs = filled(rows, 1, 18, 2);
    expect([...inputs.observations]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 0]);
    expect([...inputs.parents]).toEqual(new Array(18).fill(0));
    expect([...inputs.observationRow]).toEqual([0, 10, 20, 30, 40, 50, 60, 70, 80, 0]);
    expect([...inputs.parentRow]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 0]);
    expect([...inputs.available!]).toEqual([...new Array(18).fill(0), 1, 1]);
  });

  test("slots of non-parents do not keep decisions apart", () => {
    const actor = actorOf({
      agents: 2,
      observationSize: 1,
      actions: 2,
      parentInput: "observations-and-actions",
    });
    // Agent 1 reads agent 0 in the first two samples only; there agent 0's observation or action differs.
    const rows = conditionalRowBuilder(
      actor,
      4,
    )({
      observations: Float32Array.of(0, 7, 1, 7, 2, 7, 3, 7),
      parents: Float32Array.of(0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0),
      actions: Int32Array.of(0, 0, 0, 1, 0, 0, 1, 1),
    });
    expect([...rows.rowOf]).toEqual([0, 1, 2, 3, 4, 5, 6, 5]);
  });
});
