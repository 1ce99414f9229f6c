import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { generalisedAdvantages, standardise, type ValuedRollout } from "./returns.ts";

function advantagesOf(rollout: ValuedRollout, discount: number, lambda: number) {
  const count = rollout.steps * rollout.environments;
  const advantages = new Float64Array(count);
  const returns = new Float64Array(count);
  generalisedAdvantages(rollout, discount, lambda, advantages, returns);
  return { advantages: [...advantages], returns: [...returns] };
}

function expectClose(found: readonly number[], expected: readonly number[]): void {
  expect(found).toHaveLength(expected.length);
  for (const [k, value] of expected.entries()) expect(found[k]).toBeCloseTo(value, 10);
}

describe("generalised advantages", () => {
  test("two steps by hand", () => {
    // delta_1 = 1 - .5 = .5; delta_0 = 1 + .9 * .5 - .5 = .95; A_0 = .95 + .9 * .8 * .5 = 1.31
    const { advantages, returns } = advantagesOf(
      {
        steps: 2,
        environments: 1,
        rewards: [1, 1],
        values: [0.5, 0.5],
        nextValues: [0.5, 0],
        ended: [0, 1],
      },
      0.9,
      0.8,
    );
    expectClose(advantages, [1.31, 0.5]);
    expectClose(returns, [1.81, 1]);
  });

  test("an end in the middle cuts the trace, a value behind it still counts; environments do not mix", () => {
    // Environment 0: step 1 is a time limit whose last state is worth 10, step 2 starts anew and is followed by 4.
    //   delta_2 = 3 + .5 * 4 - 2 = 3;  delta_1 = 2 + .5 * 10 - 1 = 6 = A_1;  A_0 = 1 + .5 - 3 + .5 * .5 * 6 = 0
    // Environment 1: no end; all values 0, so A_t = r_t + .25 A_{t+1}.
    const { advantages, returns } = advantagesOf(
      {
        steps: 3,
        environments: 2,
        rewards: [1, 16, 2, 16, 3, 16],
        values: [3, 0, 1, 0, 2, 0],
        nextValues: [1, 0, 10, 0, 4, 0],
        ended: [0, 0, 1, 0, 0, 0],
      },
      0.5,
      0.5,
    );
    expectClose(advantages, [0, 21, 6, 20, 3, 16]);
    expectClose(returns, [3, 21, 7, 20, 5, 16]);
  });

  test("equal the definition, a sum of discounted errors over all later steps of the episode", () => {
    const number = fc.double({ min: -10, max: 10, noNaN: true });
    const rollouts = fc
      .tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 3 }))
      .chain(([T, B]) => {
        const row = (of: fc.Arbitrary<number>) => fc.array(of, { minLength: T * B, maxLength: T * B });
        return fc.record({
          steps: fc.constant(T),
          environments: fc.constant(B),
          rewards: row(number),
          values: row(number),
          nextValues: row(number),
          ended: row(fc.constantFrom(0, 0, 1)),
        });
      });
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(rollouts, share, share, (rollout, discount, lambda) => {
        const { steps, environments, rewards, values, nextValues, ended } = rollout;
        const expected = rewards.map((_, k) => {
          let sum = 0;
          for (let l = k, power = 0; l < steps * environments; l += environments, power++) {
            const error = rewards[l] + discount * nextValues[l] - values[l];
            sum += (discount * lambda) ** power * error;
            if (ended[l]) break;
          }
          return sum;
        });
        const { advantages, returns } = advantagesOf(rollout, discount, lambda);
        expectClose(advantages, expected);
        expectClose(
          returns,
          expected.map((advantage, k) => advantage + values[k]),
        );
      }),
    );
  });
});

describe("standardise", () => {
  test("by hand, with the population deviation", () => {
    // Mean 5, variance (9 + 1 + 1 + 1 + 0 + 0 + 4 + 16) / 8 = 4.
    const values = Float64Array.of(2, 4, 4, 4, 5, 5, 7, 9);
    standardise(values, 0.5);
    expectClose(
      [...values],
      [-3, -1, -1, -1, 0, 0, 2, 4].map((x) => x / 2.5),
    );
  });

  test("leaves equal values at zero", () => {
    const values = new Float64Array(4).fill(7);
    standardise(values);
    expect([...values]).toEqual([0, 0, 0, 0]);
  });
});
