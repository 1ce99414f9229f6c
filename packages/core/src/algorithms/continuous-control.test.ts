/** Updates of MADDPG, MATD3, FACMAC and QDCG against PyTorch (`fixtures/make-continuous-control.py`). */
import { describe, expect, test } from "vitest";
import type { ActionSpace, EnvBatch, EnvSpec } from "../envs/index.ts";
import { createSegments, type SegmentShape, type Segments } from "../learn/index.ts";
import { createRng, type Rng } from "../random/index.ts";
import { type Layout, namedArrays, type Variable } from "../tensor/index.ts";
import type { OffPolicyParts, OffPolicyPlan } from "../training/off-policy.ts";
import { facmac, facmacParts } from "./facmac.ts";
import fixture from "./fixtures/continuous-control.json" with { type: "json" };
import { maddpg, maddpgParts } from "./maddpg.ts";
import { matd3, matd3Parts } from "./matd3.ts";
import { qdcg, qdcgParts } from "./qdcg.ts";

type Arrays = Readonly<Record<string, readonly number[]>>;

interface Recorded {
  readonly method: keyof typeof make;
  readonly sizes: Pick<
    SegmentShape,
    "steps" | "moments" | "agents" | "observationSize" | "stateSize" | "controls"
  > & { readonly segments: number };
  readonly observed: readonly number[];
  readonly actions: readonly ActionSpace[];
  readonly config: object;
  readonly shapes: Arrays;
  readonly before: Arrays;
  readonly target: Arrays;
  readonly segments: Arrays;
  readonly updates: readonly {
    readonly noise: readonly (readonly number[])[];
    readonly metrics: Readonly<Record<string, number>>;
    readonly after: Arrays;
    readonly targetAfter: Arrays;
  }[];
}

const cases = Object.entries(fixture.cases as unknown as Record<string, Recorded>);

const make = {
  qdcg: (plan: OffPolicyPlan, config: object) => qdcgParts(plan, qdcg.config.parse(config), createRng(0)),
  facmac: (plan: OffPolicyPlan, config: object) =>
    facmacParts(plan, facmac.config.parse(config), createRng(0)),
  maddpg: (plan: OffPolicyPlan, config: object) =>
    maddpgParts(plan, maddpg.config.parse(config), createRng(0)),
  matd3: (plan: OffPolicyPlan, config: object) => matd3Parts(plan, matd3.config.parse(config), createRng(0)),
};

function planOf({ sizes, observed, actions, segments: recorded }: Recorded): OffPolicyPlan {
  const { segments: size, ...rest } = sizes;
  const shape = { ...rest, actions: 0, individualRewards: true, masked: false };
  const segments = createSegments(shape, size);
  for (const [name, values] of Object.entries(recorded)) {
    const memory = segments[name as keyof Segments] as Float32Array;
    expect(memory, name).toHaveLength(values.length);
    memory.set(values);
  }
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

function load(vector: Variable, layout: Layout, arrays: Arrays): void {
  for (const [index, { name }] of layout.parameters.entries()) {
    (vector.values as Float32Array).set(arrays[name], layout.offsets[index]);
  }
}

/** Parameters, or those of targets, by name. */
function read({ parameters, variables }: OffPolicyParts, which: "online" | "target") {
  const arrays = parameters.map(({ vector, layout }) => {
    const values = which === "online" ? vector : targetOf(variables, vector);
    return namedArrays(values.values as Float32Array, layout);
  });
  return Object.assign({}, ...arrays) as Readonly<
    Record<string, { readonly shape: readonly number[]; readonly data: Float32Array }>
  >;
}

const targetOf = (variables: readonly Variable[], { name }: Variable): Variable =>
  variables.find((variable) => variable.name === `${name}/target`)!;

/** A stream that gives recorded noise. */
function recordedNoise(noise: readonly (readonly number[])[]): Rng & { readonly left: unknown[] } {
  const left = [...noise];
  const give = (out: Float32Array | Float64Array): void => {
    const next = left.shift()!;
    expect(out).toHaveLength(next.length);
    out.set(next);
  };
  return { ...createRng(0), left, fillGumbel: give, fillNormal: give };
}

describe("an update equals PyTorch's", () => {
  test.each(cases)("%s", async (_, recorded) => {
    const parts = await make[recorded.method](planOf(recorded), recorded.config);
    for (const { vector, layout } of parts.parameters) {
      load(vector, layout, recorded.before);
      load(targetOf(parts.variables, vector), layout, recorded.target);
    }
    const shapes = Object.entries(read(parts, "online")).map(([name, { shape }]) => [name, shape]);
    expect(Object.fromEntries(shapes)).toEqual(recorded.shapes);
    for (const { noise, metrics, after, targetAfter } of recorded.updates) {
      const rng = recordedNoise(noise);
      const found = await parts.update({ steps: 0, learningRate: 0, rng });
      expect(rng.left).toEqual([]);
      expect(found).toEqual(
        expect.objectContaining(
          Object.fromEntries(Object.keys(metrics).map((name) => [name, expect.any(Number)])),
        ),
      );
      for (const [name, value] of Object.entries(metrics)) {
        expect(Math.abs(found[name] - value), name).toBeLessThan(5e-6 * Math.max(1, Math.abs(value)));
      }
      for (const [which, expected] of [
        ["online", after],
        ["target", targetAfter],
      ] as const) {
        for (const [name, { data }] of Object.entries(read(parts, which))) {
          const worst = Math.max(...expected[name].map((value, k) => Math.abs(value - data[k])));
          expect(worst, `${which} ${name}`).toBeLessThan(3e-6);
        }
      }
    }
    await parts.dispose();
  });
});
