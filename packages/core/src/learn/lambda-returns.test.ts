import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { lambdaReturns } from "./lambda-returns.ts";
import type { SegmentShape } from "./segments.ts";

interface Data {
  readonly steps: number;
  readonly size: number;
  /** `[T, B]` each. */
  readonly rewards: readonly number[];
  readonly terminated: readonly number[];
  readonly mask: readonly number[];
  /** `[M, B]` */
  readonly values: readonly number[];
}

function returnsOf({ steps, size, values, ...data }: Data, discount: number, lambda: number): number[] {
  const moments = values.length / size;
  const shape = { steps, moments } as SegmentShape;
  const float = (entries: readonly number[]) => Float32Array.from(entries);
  const returns = new Float64Array(steps * size).fill(Number.NaN);
  const { rewards, terminated, mask } = data;
  lambdaReturns(
    { shape, size, rewards: float(rewards), terminated: float(terminated), mask: float(mask) },
    values,
    discount,
    lambda,
    returns,
  );
  return [...returns];
}

/** The definition: n-step returns of every length that the episode allows, one by one, in their weighted mean. */
function weightedNStepReturns(data: Data, discount: number, lambda: number): number[] {
  const { steps, size, rewards, terminated, mask, values } = data;
  return rewards.map((_, start) => {
    if (mask[start] === 0) return 0;
    const b = start % size;
    const nStep: number[] = [];
    let sum = 0;
    for (let n = 1, t = Math.floor(start / size); ; n++, t++) {
      sum += discount ** (n - 1) * rewards[t * size + b];
      const ends = terminated[t * size + b] === 1;
      nStep.push(sum + (ends ? 0 : discount ** n * values[(t + 1) * size + b]));
      if (ends || t + 1 === steps || mask[(t + 1) * size + b] === 0) break;
    }
    const longest = nStep.pop()!;
    return nStep.reduce(
      (total, value, k) => total + (1 - lambda) * lambda ** k * value,
      lambda ** nStep.length * longest,
    );
  });
}

function expectClose(found: readonly number[], expected: readonly number[]): void {
  expect(found).toHaveLength(expected.length);
  for (const [k, value] of expected.entries()) expect(found[k]).toBeCloseTo(value, 9);
}

describe("lambda returns", () => {
  test("by hand: an end of its own, a time limit, and an episode shorter than the segment", () => {
    // Segment 0 terminates with its third step: G_2 = 4; G_1 = 2 + .5 (.25 * 8 + .75 * 4) = 4.5;
    //   G_0 = 1 + .5 (.25 * 6 + .75 * 4.5) = 3.4375.
    // Segment 1 goes on behind it: G_2 = 4 + .5 * 16 = 12; G_1 = 2 + .5 (.25 * 8 + .75 * 12) = 7.5;
    //   G_0 = 1 + .5 (.25 * 6 + .75 * 7.5) = 4.5625.
    // Segment 2 was cut after its first step, behind which there is padding: G_0 = 1 + .5 * 6 = 4.
    const data: Data = {
      steps: 3,
      size: 3,
      rewards: [1, 1, 1, 2, 2, 0, 4, 4, 0],
      terminated: [0, 0, 0, 0, 0, 0, 1, 0, 0],
      mask: [1, 1, 1, 1, 1, 0, 1, 1, 0],
      values: [99, 99, 99, 6, 6, 6, 8, 8, 99, 16, 16, 99],
    };
    expectClose(returnsOf(data, 0.5, 0.75), [3.4375, 4.5625, 4, 4.5, 7.5, 0, 4, 12, 0]);
  });

  test("of one-step games are the rewards", () => {
    const data = { steps: 1, size: 2, rewards: [3, -1], terminated: [1, 1], mask: [1, 1] };
    expect(returnsOf({ ...data, values: [7, 7] }, 0.9, 0.8)).toEqual([3, -1]);
  });

  const number = fc.integer({ min: -80, max: 80 }).map((n) => n / 8);
  const segments = fc
    .tuple(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 3 }))
    .chain(([steps, size]) =>
      fc.record({
        steps: fc.constant(steps),
        size: fc.constant(size),
        rewards: fc.array(number, { minLength: steps * size, maxLength: steps * size }),
        values: fc.array(number, { minLength: (steps + 1) * size, maxLength: (steps + 1) * size }),
        ends: fc.array(fc.record({ length: fc.integer({ min: 1, max: steps }), own: fc.boolean() }), {
          minLength: size,
          maxLength: size,
        }),
      }),
    )
    .map(({ ends, ...data }): Data => {
      const at = (of: (t: number, b: number) => boolean) =>
        data.rewards.map((_, k) => (of(Math.floor(k / data.size), k % data.size) ? 1 : 0));
      return {
        ...data,
        terminated: at((t, b) => ends[b].own && t === ends[b].length - 1),
        mask: at((t, b) => t < ends[b].length),
      };
    });
  const share = fc.double({ min: 0, max: 1, noNaN: true });

  test("are the weighted n-step returns", () => {
    fc.assert(
      fc.property(segments, share, share, (data, discount, lambda) => {
        expectClose(returnsOf(data, discount, lambda), weightedNStepReturns(data, discount, lambda));
      }),
    );
  });

  test("with lambda 0 look one step ahead, with lambda 1 they are discounted sums of rewards", () => {
    fc.assert(
      fc.property(segments, share, (data, discount) => {
        const { steps, size, rewards, terminated, mask, values } = data;
        expectClose(
          returnsOf(data, discount, 0),
          rewards.map((r, k) => mask[k] * (r + discount * (1 - terminated[k]) * values[k + size])),
        );
        const sums = rewards.map(() => 0);
        for (let k = steps * size - 1; k >= 0; k--) {
          if (mask[k] === 0) continue;
          const played = k + size < steps * size && mask[k + size] === 1;
          const rest = played ? sums[k + size] : values[k + size];
          sums[k] = rewards[k] + discount * (1 - terminated[k]) * rest;
        }
        expectClose(returnsOf(data, discount, 1), sums);
      }),
    );
  });

  test("of episodes that end by themselves do not depend on what is written behind the end", () => {
    fc.assert(
      fc.property(segments, fc.array(number, { minLength: 24, maxLength: 24 }), (data, others) => {
        const { steps, size, mask, terminated, values } = data;
        const changed = values.map((value, k) => {
          const [t, b] = [Math.floor(k / size), k % size];
          const behind = t > 0 && (terminated[k - size] === 1 || (t < steps && mask[k] === 0));
          const own = terminated.some((ended, at) => ended === 1 && at % size === b);
          return behind && own ? others[k] : value;
        });
        expect(returnsOf({ ...data, values: changed }, 0.9, 0.8)).toEqual(returnsOf(data, 0.9, 0.8));
      }),
    );
  });
});
