/** Whole updates of FOP and MACPF against PyTorch (`fixtures/make-soft-actor-critic.py`). */
import { describe, expect, test } from "vitest";
import { createSegments, type SegmentShape, type Segments } from "../learn/index.ts";
import { createRng, type Rng } from "../random/index.ts";
import { type Layout, loadEngine, namedArrays, type Variable } from "../tensor/index.ts";
import fixture from "./fixtures/soft-actor-critic.json" with { type: "json" };
import { fop, fopNetworks, fopUpdate } from "./fop.ts";
import { macpf, macpfNetworks, macpfUpdate } from "./macpf.ts";

const engine = await loadEngine();

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

interface Network {
  readonly layout: Layout;
  readonly vector: Variable;
}

function load(vector: Variable, layout: Layout, values: Named): void {
  for (const [index, { name }] of layout.parameters.entries()) {
    (vector.values as Float32Array).set(values[name], layout.offsets[index]);
  }
}

async function prepared(recorded: Recorded) {
  const { algorithm, sizes: shape, shapes, before, target } = recorded;
  const segments = segmentsOf(recorded);
  const built =
    algorithm === "fop" ? prepareFop(shape, recorded.config) : prepareMacpf(shape, recorded.config);
  const networks: readonly (Network & { readonly target?: Variable })[] = built.networks;
  const parameters = () =>
    Object.assign(
      {},
      ...networks.map(({ vector, layout }) => namedArrays(vector.values as Float32Array, layout)),
    ) as Readonly<Record<string, { readonly shape: readonly number[]; readonly data: Float32Array }>>;
  expect(Object.fromEntries(Object.entries(parameters()).map(([name, { shape }]) => [name, shape]))).toEqual(
    shapes,
  );
  for (const network of networks) {
    load(network.vector, network.layout, before);
    if (network.target !== undefined) load(network.target, network.layout, target);
  }
  return { updater: await built.update(segments), parameters };
}

function prepareFop(shape: SegmentShape, settings: object) {
  const config = fop.config.parse(settings);
  const networks = fopNetworks({ shape }, config, createRng(0));
  return {
    networks: [networks.actor, ...networks.critics],
    update: (segments: Segments) => fopUpdate(engine, networks, segments, config),
  };
}

function prepareMacpf(shape: SegmentShape, settings: object) {
  const config = macpf.config.parse(settings);
  const networks = macpfNetworks({ shape }, config, createRng(0));
  return {
    networks: [networks.actor, networks.critic],
    update: (segments: Segments) => macpfUpdate(engine, networks, segments, config),
  };
}

describe("an update equals PyTorch's", () => {
  test.each(cases)("%s", async (_, recorded) => {
    const { updater, parameters } = await prepared(recorded);
    for (const { steps, learningRate, noise, metrics } of recorded.updates) {
      const rng = withNoise(noise);
      const found = await updater.update({ steps, learningRate, rng });
      expect(rng.left).toEqual([]);
      expect(Object.keys(found).sort()).toEqual(Object.keys(metrics).sort());
      for (const [name, value] of Object.entries(metrics)) {
        expect(Math.abs(found[name] - value), name).toBeLessThan(5e-6 * Math.max(1, Math.abs(value)));
      }
    }
    for (const [name, { data }] of Object.entries(parameters())) {
      const worst = Math.max(...recorded.after[name].map((value, k) => Math.abs(value - data[k])));
      expect(worst, name).toBeLessThan(2e-6);
    }
    await updater.dispose();
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
