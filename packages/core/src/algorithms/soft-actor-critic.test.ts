/** Whole updates of FOP and MACPF against PyTorch (`fixtures/make-soft-actor-critic.py`). */
import { describe, expect, test } from "vitest";
import type { EnvBatch } from "../envs/index.ts";
import { createSegments, type SegmentShape, type Segments } from "../learn/index.ts";
import { createRng, type Rng } from "../random/index.ts";
import { type Layout, namedArrays, type Variable } from "../tensor/index.ts";
import type { OffPolicyParts, OffPolicyPlan } from "../training/off-policy.ts";
import fixture from "./fixtures/soft-actor-critic.json" with { type: "json" };
import { fop, fopParts } from "./fop.ts";
import { macpf, macpfParts } from "./macpf.ts";

type Named = Readonly<Record<string, readonly number[]>>;

interface Recorded {
  readonly algorithm: "fop" | "macpf";
  readonly sizes: SegmentShape;
  readonly size: number;
  readonly config: object;
  readonly shapes: Named;
  readonly before: Named;
  readonly target: Named;
  readonly segments: Named;
  readonly updates: readonly {
    readonly steps: number;
    readonly learningRate: number;
    readonly noise: readonly (readonly number[])[];
    readonly metrics: Readonly<Record<string, number>>;
  }[];
  readonly after: Named;
}

const cases = Object.entries(fixture.cases as unknown as Record<string, Recorded>);

function segmentsOf({ sizes, size, segments: recorded }: Recorded): Segments {
  const segments = createSegments(sizes, size);
  for (const [name, values] of Object.entries(recorded)) {
    const memory = segments[name as keyof Segments] as Float32Array;
    expect(memory, name).toHaveLength(values.length);
    memory.set(values);
  }
  return segments;
}

/** A stream that gives recorded Gumbel noise. */
function withNoise(noise: readonly (readonly number[])[]): Rng & { readonly left: unknown[] } {
  const left = [...noise];
  return {
    ...createRng(0),
    left,
    fillGumbel(out) {
      const next = left.shift()!;
      expect(out).toHaveLength(next.length);
      out.set(next);
    },
  };
}

const make = {
  fop: (plan: OffPolicyPlan, config: object) => fopParts(plan, fop.config.parse(config), createRng(0)),
  macpf: (plan: OffPolicyPlan, config: object) => macpfParts(plan, macpf.config.parse(config), createRng(0)),
};

/** What the method brings, with the recorded parameters. */
async function prepared(recorded: Recorded): Promise<OffPolicyParts> {
  const { algorithm, sizes: shape, config, before, target } = recorded;
  const batch = { spec: {} } as EnvBatch;
  const parts = await make[algorithm]({ segments: segmentsOf(recorded), shape, batch }, config);
  for (const { vector, layout } of parts.parameters) {
    load(vector, layout, before);
    const copy = parts.targets.find(({ online }) => online === vector)?.target;
    if (copy !== undefined) load(copy, layout, target);
  }
  return parts;
}

function load(vector: Variable, layout: Layout, values: Named): void {
  for (const [index, { name }] of layout.parameters.entries()) {
    (vector.values as Float32Array).set(values[name], layout.offsets[index]);
  }
}

const parametersOf = ({ parameters }: OffPolicyParts) =>
  Object.assign(
    {},
    ...parameters.map(({ vector, layout }) => namedArrays(vector.values as Float32Array, layout)),
  ) as Readonly<Record<string, { readonly shape: readonly number[]; readonly data: Float32Array }>>;

describe("an update equals PyTorch's", () => {
  test.each(cases)("%s", async (_, recorded) => {
    const parts = await prepared(recorded);
    const shapes = Object.entries(parametersOf(parts)).map(([name, { shape }]) => [name, shape]);
    expect(Object.fromEntries(shapes)).toEqual(recorded.shapes);
    for (const { steps, learningRate, noise, metrics } of recorded.updates) {
      const rng = withNoise(noise);
      const found = await parts.update({ steps, learningRate, rng });
      expect(rng.left).toEqual([]);
      expect(Object.keys(found).sort()).toEqual(Object.keys(metrics).sort());
      for (const [name, value] of Object.entries(metrics)) {
        expect(Math.abs(found[name] - value), name).toBeLessThan(5e-6 * Math.max(1, Math.abs(value)));
      }
    }
    for (const [name, { data }] of Object.entries(parametersOf(parts))) {
      const worst = Math.max(...recorded.after[name].map((value, k) => Math.abs(value - data[k])));
      expect(worst, name).toBeLessThan(2e-6);
    }
    await parts.dispose();
  });

  test("the cases reach what they are there for", () => {
    for (const [name, { before, after, config, updates }] of cases) {
      for (const [parameter, values] of Object.entries(after)) {
        const moved = Math.max(...values.map((value, k) => Math.abs(value - before[parameter][k])));
        expect(moved, `${name}: ${parameter}`).toBeGreaterThan(1e-5);
      }
      const { maxGradientNorm } = config as { readonly maxGradientNorm: number };
      const clipped = updates.some(({ metrics }) => metrics["train/actor-gradient-norm"] > maxGradientNorm);
      expect(clipped).toBe(name.includes("clipped"));
    }
  });
});
