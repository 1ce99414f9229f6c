/** Gradient steps of DCG, both forms of DICG and AGP by policy gradient against PyTorch, sample by sample (`fixtures/make-graph-methods.py`). */
import { describe, expect, test } from "vitest";
import type { EnvBatch, EnvFactory, EnvSpec } from "../envs/index.ts";
import type { SegmentShape } from "../learn/index.ts";
import { createRng } from "../random/index.ts";
import type { OffPolicyPlan } from "../training/off-policy.ts";
import { type OnPolicyPlan, sampleInputs } from "../training/on-policy.ts";
import {
  expectRecordedSteps,
  load,
  type Recorded,
  type RecordedSteps,
  recordedSegments,
} from "../training/testing/recorded-steps.ts";
import { agpPg, agpPgParts } from "./agp-pg.ts";
import { dcg, dcgParts } from "./dcg.ts";
import { dicg, dicgParts } from "./dicg.ts";
import { dicgValue, dicgValueParts } from "./dicg-value.ts";
import fixture from "./fixtures/graph-methods.json" with { type: "json" };

interface RecordedCase<Sizes> extends RecordedSteps {
  readonly method: "dcg" | "dicg-value" | "dicg" | "agp-pg";
  readonly sizes: Sizes;
  readonly config: { readonly learningRate: number };
  readonly before: Recorded;
  readonly target?: Recorded;
  readonly data: Recorded;
}
type RecordedSegments = RecordedCase<SegmentShape & { readonly segments: number }>;
type RecordedSamples = RecordedCase<
  Pick<SegmentShape, "agents" | "observationSize" | "actions" | "masked"> & { readonly samples: number }
>;

const segmentCases = Object.entries(fixture.segments as unknown as Record<string, RecordedSegments>);
const sampleCases = Object.entries(fixture.samples as unknown as Record<string, RecordedSamples>);

const specOf = (shape: Pick<SegmentShape, "agents" | "observationSize" | "actions">): EnvSpec => ({
  id: "recorded",
  version: 1,
  agents: shape.agents,
  observationSize: shape.observationSize,
  stateSize: 1,
  actions: new Array(shape.agents).fill({ kind: "discrete", n: shape.actions }),
  horizon: 1,
  rewards: "team",
  sharedObservation: false,
});

const notPlayed: EnvFactory = () => {
  throw new Error("nothing is played here");
};

describe("a gradient step equals PyTorch's", () => {
  test.each(segmentCases)("%s", async (_, recorded) => {
    const { method, sizes, data, config } = recorded;
    const { segments: size, ...shape } = sizes;
    const segments = recordedSegments(shape, size, data);
    const plan: OffPolicyPlan = { segments, shape, batch: { spec: specOf(shape) } as EnvBatch };
    const parts =
      method === "dcg"
        ? await dcgParts(plan, dcg.config.parse(config), createRng(0))
        : await dicgValueParts(plan, dicgValue.config.parse(config), createRng(0));
    const [network] = parts.parameters;
    load(network, recorded.before);
    load({ ...network, vector: parts.targets[0].target }, recorded.target!);
    const { learningRate } = config;
    await expectRecordedSteps(recorded, parts.parameters, () =>
      parts.update({ steps: 0, learningRate, rng: createRng(0) }),
    );
    await parts.dispose();
  });

  test.each(sampleCases)("%s", async (_, recorded) => {
    const { method, sizes, data, config } = recorded;
    const shape = { ...sizes, steps: 1, moments: 1, stateSize: 1 } as SegmentShape & typeof sizes;
    const samples = sampleInputs(shape, sizes.samples);
    for (const [name, { values }] of Object.entries(samples)) values.set(data[name]);
    const plan: OnPolicyPlan = { samples, shape, spec: specOf(shape) };
    const parts =
      method === "dicg"
        ? await dicgParts(plan, dicg.config.parse(config), createRng(0))
        : await agpPgParts(plan, agpPg.config.parse(config), { env: notPlayed, rng: createRng(0) });
    for (const network of parts.parameters) load(network, recorded.before);
    await expectRecordedSteps(recorded, parts.parameters, () => parts.step(config.learningRate));
    await parts.dispose();
  });

  test("the cases reach what they are there for", () => {
    for (const [name, { before, updates }] of [...segmentCases, ...sampleCases]) {
      const [first] = updates;
      for (const [parameter, values] of Object.entries(first.after)) {
        // What a gated unit makes of the zeros it begins with.
        if (name.includes("one step") && parameter === "agent/1/hidden/w") continue;
        const moved = Math.max(...values.map((value, k) => Math.abs(value - before[parameter][k])));
        expect(moved, `${name}: ${parameter}`).toBeGreaterThan(1e-5);
      }
      const norm = first.metrics["gradient-norm"] ?? first.metrics["actor-gradient-norm"];
      expect(norm, name).toBeGreaterThan(name.includes("clipped") ? 0.1 : 0);
    }
    for (const [, { updates }] of sampleCases) {
      expect(updates[0].metrics["clip-fraction"]).toBeGreaterThan(0.05);
      expect(updates[0].metrics["clip-fraction"]).toBeLessThan(0.9);
    }
  });
});
