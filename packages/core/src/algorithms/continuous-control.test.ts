/** Updates of MADDPG, MATD3, FACMAC and QDCG against PyTorch (`fixtures/make-continuous-control.py`). */
import { describe, expect, test } from "vitest";
import type { ActionSpace, EnvBatch, EnvSpec } from "../envs/index.ts";
import type { SegmentShape } from "../learn/index.ts";
import { createRng } from "../random/index.ts";
import type { Variable } from "../tensor/index.ts";
import type { OffPolicyPlan } from "../training/off-policy.ts";
import {
  expectMetrics,
  expectParameters,
  expectShapes,
  load,
  type Recorded,
  recordedNoise,
  recordedSegments,
} from "../training/testing/recorded-steps.ts";
import { facmac, facmacParts } from "./facmac.ts";
import fixture from "./fixtures/continuous-control.json" with { type: "json" };
import { maddpg, maddpgParts } from "./maddpg.ts";
import { matd3, matd3Parts } from "./matd3.ts";
import { qdcg, qdcgParts } from "./qdcg.ts";

interface RecordedCase {
  readonly method: keyof typeof make;
  readonly sizes: Pick<
    SegmentShape,
    "steps" | "moments" | "agents" | "observationSize" | "stateSize" | "controls"
  > & { readonly segments: number };
  readonly observed: readonly number[];
  readonly actions: readonly ActionSpace[];
  readonly config: object;
  readonly shapes: Recorded;
  readonly before: Recorded;
  readonly target: Recorded;
  readonly segments: Recorded;
  readonly updates: readonly {
    readonly noise: readonly (readonly number[])[];
    readonly metrics: Readonly<Record<string, number>>;
    readonly after: Recorded;
    readonly targetAfter: Recorded;
  }[];
}

const cases = Object.entries(fixture.cases as unknown as Record<string, RecordedCase>);

const make = {
  qdcg: (plan: OffPolicyPlan, config: object) => qdcgParts(plan, qdcg.config.parse(config), createRng(0)),
  facmac: (plan: OffPolicyPlan, config: object) =>
    facmacParts(plan, facmac.config.parse(config), createRng(0)),
  maddpg: (plan: OffPolicyPlan, config: object) =>
    maddpgParts(plan, maddpg.config.parse(config), createRng(0)),
  matd3: (plan: OffPolicyPlan, config: object) => matd3Parts(plan, matd3.config.parse(config), createRng(0)),
};

function planOf({ sizes, observed, actions, segments: recorded }: RecordedCase): OffPolicyPlan {
  const { segments: size, ...rest } = sizes;
  const shape = { ...rest, actions: 0, individualRewards: true, masked: false };
  const segments = recordedSegments(shape, size, recorded);
  const spec: EnvSpec = {
    id: "recorded",
    version: 1,
    agents: shape.agents,
    observationSize: shape.observationSize,
    observationSizes: observed,
    stateSize: shape.stateSize,
    actions,
    horizon: shape.steps,
    rewards: "individual",
    sharedObservation: false,
  };
  return { segments, shape, batch: { spec } as EnvBatch };
}

const targetOf = (variables: readonly Variable[], { name }: Variable): Variable =>
  variables.find((variable) => variable.name === `${name}/target`)!;

describe("an update equals PyTorch's", () => {
  test.each(cases)("%s", async (_, recorded) => {
    const parts = await make[recorded.method](planOf(recorded), recorded.config);
    const networks = parts.parameters;
    const targets = networks.map(({ vector, layout }) => ({
      vector: targetOf(parts.variables, vector),
      layout,
    }));
    for (const network of networks) load(network, recorded.before);
    for (const network of targets) load(network, recorded.target);
    expectShapes(networks, recorded.shapes);
    for (const { noise, metrics, after, targetAfter } of recorded.updates) {
      const rng = recordedNoise(noise);
      const found = await parts.update({ steps: 0, learningRate: 0, rng });
      expect(rng.left).toEqual([]);
      expect(found).toEqual(
        expect.objectContaining(
          Object.fromEntries(Object.keys(metrics).map((name) => [name, expect.any(Number)])),
        ),
      );
      expectMetrics(found, metrics, 5e-6);
      expectParameters(networks, after, 3e-6);
      expectParameters(targets, targetAfter, 3e-6);
    }
    await parts.dispose();
  });
});
