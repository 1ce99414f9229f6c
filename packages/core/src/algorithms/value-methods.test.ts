/** Gradient steps of the value methods against PyTorch, agent by agent and step by step (`fixtures/make-value-methods.py`). */
import { describe, expect, test } from "vitest";
import type { EnvBatch, EnvSpec } from "../envs/index.ts";
import { createSegments, type SegmentShape } from "../learn/index.ts";
import { createRng } from "../random/index.ts";
import { namedArrays, type Variable } from "../tensor/index.ts";
import type { OffPolicyParts, OffPolicyPlan } from "../training/off-policy.ts";
import fixture from "./fixtures/value-methods.json" with { type: "json" };
import { iql, iqlParts } from "./iql.ts";
import { qmix, qmixParts } from "./qmix.ts";
import { qtran, qtranParts } from "./qtran.ts";
import { vdn, vdnParts } from "./vdn.ts";

type Arrays = Readonly<Record<string, readonly number[]>>;
interface Recorded {
  readonly method: "iql" | "vdn" | "qmix" | "qtran";
  readonly sizes: Omit<SegmentShape, "masked"> & { readonly segments: number; readonly masked: boolean };
  readonly config: object;
  readonly shapes: Arrays;
  readonly before: Arrays;
  readonly target: Arrays;
  readonly segments: Arrays;
  readonly updates: readonly { readonly metrics: Readonly<Record<string, number>>; readonly after: Arrays }[];
}

const cases = Object.entries(fixture.cases as unknown as Record<string, Recorded>);

/** What each method brings, with the recorded settings. */
const make = {
  iql: (plan: OffPolicyPlan, config: object) => iqlParts(plan, iql.config.parse(config), createRng(0)),
  vdn: (plan: OffPolicyPlan, config: object) => vdnParts(plan, vdn.config.parse(config), createRng(0)),
  qmix: (plan: OffPolicyPlan, config: object) => qmixParts(plan, qmix.config.parse(config), createRng(0)),
  qtran: (plan: OffPolicyPlan, config: object) => qtranParts(plan, qtran.config.parse(config), createRng(0)),
};

async function prepared({ method, sizes, config, before, target, ...recorded }: Recorded) {
  const { segments: size, ...shape } = sizes;
  const segments = createSegments(shape, size);
  for (const name of ["observations", "states", "actions", "rewards", "terminated", "mask"] as const) {
    segments[name].set(recorded.segments[name]);
  }
  segments.available?.set(recorded.segments.available);
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
  write(parts, parts.parameters[0].vector, before);
  write(parts, parts.targets[0].target, target);
  return parts;
}

/** Writes parameters by name into a vector laid out as the method's parameters are. */
function write({ parameters }: OffPolicyParts, vector: Variable, arrays: Arrays): void {
  const { layout } = parameters[0];
  for (const [index, { name }] of layout.parameters.entries()) {
    (vector.values as Float32Array).set(arrays[name], layout.offsets[index]);
  }
}

const read = ({ parameters: [{ vector, layout }] }: OffPolicyParts) =>
  namedArrays(vector.values as Float32Array, layout);

describe("a gradient step equals PyTorch's", () => {
  test.each(cases)("%s", async (_, recorded) => {
    const parts = await prepared(recorded);
    expect(Object.fromEntries(Object.entries(read(parts)).map(([name, { shape }]) => [name, shape]))).toEqual(
      recorded.shapes,
    );
    const learningRate = (recorded.config as { readonly learningRate: number }).learningRate;
    for (const { metrics, after } of recorded.updates) {
      const found = await parts.update({ steps: 0, learningRate, rng: createRng(0) });
      expect(Object.keys(found).sort()).toEqual(
        Object.keys(metrics)
          .map((name) => `train/${name}`)
          .sort(),
      );
      for (const [name, value] of Object.entries(metrics)) {
        expect(Math.abs(found[`train/${name}`] - value), name).toBeLessThan(
          1e-5 * Math.max(1, Math.abs(value)),
        );
      }
      for (const [name, { data }] of Object.entries(read(parts))) {
        const worst = Math.max(...after[name].map((value, k) => Math.abs(value - data[k])));
        expect(worst, name).toBeLessThan(1e-5);
      }
    }
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
