import { expect } from "vitest";
import { createSegments, type SegmentShape, type Segments } from "../../learn/index.ts";
import { createRng, type Rng } from "../../random/index.ts";
import { type Layout, namedArrays, type Variable } from "../../tensor/index.ts";

/** Parameters, shapes or data by name. */
export type Recorded = Readonly<Record<string, readonly number[]>>;

/** Steps that another implementation took, with what came of them. */
export interface RecordedSteps {
  readonly shapes: Recorded;
  readonly updates: readonly {
    readonly metrics: Readonly<Record<string, number>>;
    readonly after: Recorded;
  }[];
}

interface Network {
  readonly vector: Variable;
  readonly layout: Layout;
}

/** Recorded experience. Which actions are available may be recorded also where all of them are. */
export function recordedSegments(shape: SegmentShape, size: number, recorded: Recorded): Segments {
  const segments = createSegments(shape, size);
  for (const [name, values] of Object.entries(recorded)) {
    if (name === "available" && !shape.masked) continue;
    const memory = segments[name as keyof Segments] as Float32Array;
    expect(memory, name).toHaveLength(values.length);
    memory.set(values);
  }
  return segments;
}

/** Gives a network recorded parameters. */
export function load({ vector, layout }: Network, recorded: Recorded): void {
  for (const [index, { name }] of layout.parameters.entries()) {
    (vector.values as Float32Array).set(recorded[name], layout.offsets[index]);
  }
}

const parametersOf = (networks: readonly Network[]): ReturnType<typeof namedArrays<Float32Array>> =>
  Object.assign(
    {},
    ...networks.map(({ vector, layout }) => namedArrays(vector.values as Float32Array, layout)),
  );

export function expectShapes(networks: readonly Network[], shapes: Recorded): void {
  const found = Object.entries(parametersOf(networks)).map(([name, { shape }]) => [name, shape]);
  expect(Object.fromEntries(found)).toEqual(shapes);
}

export function expectParameters(networks: readonly Network[], recorded: Recorded, tolerance: number): void {
  for (const [name, { data }] of Object.entries(parametersOf(networks))) {
    const worst = Math.max(...recorded[name].map((value, k) => Math.abs(value - data[k])));
    expect(worst, name).toBeLessThan(tolerance);
  }
}

/** @param tolerance absolute below 1, relative above */
export function expectMetrics(
  found: Readonly<Record<string, number>>,
  recorded: Readonly<Record<string, number>>,
  tolerance: number,
): void {
  for (const [name, value] of Object.entries(recorded)) {
    expect(Math.abs(found[name] - value), name).toBeLessThan(tolerance * Math.max(1, Math.abs(value)));
  }
}

/** Takes the recorded steps and compares shapes, and after each step metrics, recorded without `train/`, and parameters. */
export async function expectRecordedSteps(
  { shapes, updates }: RecordedSteps,
  networks: readonly Network[],
  step: () => Promise<Readonly<Record<string, number>>>,
): Promise<void> {
  expectShapes(networks, shapes);
  for (const { metrics, after } of updates) {
    const found = await step();
    const expected = Object.fromEntries(
      Object.entries(metrics).map(([name, value]) => [`train/${name}`, value]),
    );
    expect(Object.keys(found).sort()).toEqual(Object.keys(expected).sort());
    expectMetrics(found, expected, 1e-5);
    expectParameters(networks, after, 1e-5);
  }
}

/** A stream that gives recorded noise, and tells what of it is left. */
export function recordedNoise(noise: readonly (readonly number[])[]): Rng & { readonly left: unknown[] } {
  const left = [...noise];
  const give = (out: Float32Array | Float64Array): void => {
    const next = left.shift()!;
    expect(out).toHaveLength(next.length);
    out.set(next);
  };
  return { ...createRng(0), left, fillGumbel: give, fillNormal: give };
}
