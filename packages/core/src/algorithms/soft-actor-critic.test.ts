/** Whole updates of FOP and MACPF against PyTorch (`fixtures/make-soft-actor-critic.py`). */
import { describe, expect, test } from "vitest";
import type { EnvBatch } from "../envs/index.ts";
import type { SegmentShape } from "../learn/index.ts";
import { createRng } from "../random/index.ts";
import type { OffPolicyParts, OffPolicyPlan } from "../training/off-policy.ts";
import {
  expectMetrics,
  expectParameters,
  expectShapes,
  load,
  type Recorded,
  recordedNoise,
  recordedSegments,
} from "../training/testing/recorded-steps.ts";
import fixture from "./fixtures/soft-actor-critic.json" with { type: "json" };
import { fop, fopParts } from "./fop.ts";
import { macpf, macpfParts } from "./macpf.ts";

interface RecordedCase {
  readonly algorithm: "fop" | "macpf";
  readonly sizes: SegmentShape;
  readonly size: number;
  readonly config: object;
  readonly shapes: Recorded;
  readonly before: Recorded;
  readonly target: Recorded;
  readonly segments: Recorded;
  readonly updates: readonly {
    readonly steps: number;
    readonly learningRate: number;
    readonly noise: readonly (readonly number[])[];
    readonly metrics: Readonly<Record<string, number>>;
  }[];
  readonly after: Recorded;
}

const cases = Object.entries(fixture.cases as unknown as Record<string, RecordedCase>);

const make = {
  fop: (plan: OffPolicyPlan, config: object) => fopParts(plan, fop.config.parse(config), createRng(0)),
  macpf: (plan: OffPolicyPlan, config: object) => macpfParts(plan, macpf.config.parse(config), createRng(0)),
};

/** What the method brings, with the recorded parameters. */
async function prepared(recorded: RecordedCase): Promise<OffPolicyParts> {
  const { algorithm, sizes: shape, size, config, before, target } = recorded;
  const segments = recordedSegments(shape, size, recorded.segments);
  const batch = { spec: {} } as EnvBatch;
  const parts = await make[algorithm]({ segments, shape, batch }, config);
  for (const { vector, layout } of parts.parameters) {
    load({ vector, layout }, before);
    const copy = parts.targets.find(({ online }) => online === vector)?.target;
    if (copy !== undefined) load({ vector: copy, layout }, target);
  }
  return parts;
}

describe("an update equals PyTorch's", () => {
  test.each(cases)("%s", async (_, recorded) => {
    const parts = await prepared(recorded);
    expectShapes(parts.parameters, recorded.shapes);
    for (const { steps, learningRate, noise, metrics } of recorded.updates) {
      const rng = recordedNoise(noise);
      const found = await parts.update({ steps, learningRate, rng });
      expect(rng.left).toEqual([]);
      expect(Object.keys(found).sort()).toEqual(Object.keys(metrics).sort());
      expectMetrics(found, metrics, 5e-6);
    }
    expectParameters(parts.parameters, recorded.after, 2e-6);
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
