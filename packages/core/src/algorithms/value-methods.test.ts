/** Gradient steps of the value methods against PyTorch, agent by agent and step by step (`fixtures/make-value-methods.py`). */
import { describe, expect, test } from "vitest";
import type { EnvBatch, EnvSpec } from "../envs/index.ts";
import type { SegmentShape } from "../learn/index.ts";
import { createRng } from "../random/index.ts";
import type { OffPolicyPlan } from "../training/off-policy.ts";
import {
  expectRecordedSteps,
  load,
  type Recorded,
  type RecordedSteps,
  recordedSegments,
} from "../training/testing/recorded-steps.ts";
import fixture from "./fixtures/value-methods.json" with { type: "json" };
import { iql, iqlParts } from "./iql.ts";
import { qmix, qmixParts } from "./qmix.ts";
import { qtran, qtranParts } from "./qtran.ts";
import { vdn, vdnParts } from "./vdn.ts";

interface RecordedCase extends RecordedSteps {
  readonly method: "iql" | "vdn" | "qmix" | "qtran";
  readonly sizes: Omit<SegmentShape, "masked"> & { readonly segments: number; readonly masked: boolean };
  readonly config: { readonly learningRate: number };
  readonly before: Recorded;
  readonly target: Recorded;
  readonly segments: Recorded;
}

const cases = Object.entries(fixture.cases as unknown as Record<string, RecordedCase>);

/** What each method brings, with the recorded settings. */
const make = {
  iql: (plan: OffPolicyPlan, config: object) => iqlParts(plan, iql.config.parse(config), createRng(0)),
  vdn: (plan: OffPolicyPlan, config: object) => vdnParts(plan, vdn.config.parse(config), createRng(0)),
  qmix: (plan: OffPolicyPlan, config: object) => qmixParts(plan, qmix.config.parse(config), createRng(0)),
  qtran: (plan: OffPolicyPlan, config: object) => qtranParts(plan, qtran.config.parse(config), createRng(0)),
};

async function prepared({ method, sizes, config, before, target, ...recorded }: RecordedCase) {
  const { segments: size, ...shape } = sizes;
  const segments = recordedSegments(shape, size, recorded.segments);
  const spec: EnvSpec = {
    id: "recorded",
    version: 1,
    agents: shape.agents,
    observationSize: shape.observationSize,
    stateSize: shape.stateSize,
    actions: new Array(shape.agents).fill({ kind: "discrete", n: shape.actions }),
    horizon: shape.steps,
    rewards: "team",
    sharedObservation: false,
  };
  const parts = await make[method]({ segments, shape, batch: { spec } as EnvBatch }, config);
  const [network] = parts.parameters;
  load(network, before);
  load({ ...network, vector: parts.targets[0].target }, target);
  return parts;
}

describe("a gradient step equals PyTorch's", () => {
  test.each(cases)("%s", async (_, recorded) => {
    const parts = await prepared(recorded);
    const { learningRate } = recorded.config;
    await expectRecordedSteps(recorded, parts.parameters, () =>
      parts.update({ steps: 0, learningRate, rng: createRng(0) }),
    );
    await parts.dispose();
  });

  test("the cases reach what they are there for", () => {
    for (const [name, { before, updates }] of cases) {
      const first = updates[0];
      const moved = Object.entries(first.after).map(([parameter, values]) =>
        Math.max(...values.map((value, k) => Math.abs(value - before[parameter][k]))),
      );
      expect(Math.min(...moved), name).toBeGreaterThan(1e-4);
      expect(first.metrics["gradient-norm"]).toBeGreaterThan(name.includes("clipped") ? 1 : 0);
      if (name.startsWith("qtran")) expect(first.metrics["nopt-loss"]).toBeGreaterThan(0.01);
    }
  });
});
