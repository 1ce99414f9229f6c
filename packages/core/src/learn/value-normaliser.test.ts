import { expect, test } from "vitest";
import { valueNormaliser } from "./value-normaliser.ts";

test("before any update the mean is 0 and the deviation 0.1", () => {
  expect(valueNormaliser().moments()).toEqual({ mean: 0, deviation: 0.1 });
});

test("the first update is debiased to the moments of its batch", () => {
  // Weight 1e-5 divides itself out: mean 3, mean square (1 + 25) / 2 = 13, variance 4.
  const normaliser = valueNormaliser();
  normaliser.update([1, 5]);
  const { mean, deviation } = normaliser.moments();
  expect(mean).toBeCloseTo(3, 9);
  expect(deviation).toBeCloseTo(2, 9);
});

test("two updates by hand", () => {
  // beta 3/4. After [2, 4]: mean 3/4, square 10/4, weight 1/4. After [10]: mean 9/16 + 10/4 = 49/16,
  // square 30/16 + 25 = 430/16, weight 7/16. Debiased: mean 7, square 430/7, variance 430/7 - 49 = 87/7.
  const normaliser = valueNormaliser(0.75);
  normaliser.update([2, 4]);
  expect(normaliser.state()).toEqual({ mean: 0.75, meanSquare: 2.5, weight: 0.25 });
  normaliser.update(Float64Array.of(10));
  expect(normaliser.state()).toEqual({ mean: 49 / 16, meanSquare: 430 / 16, weight: 7 / 16 });
  const { mean, deviation } = normaliser.moments();
  expect(mean).toBeCloseTo(7, 12);
  expect(deviation).toBeCloseTo(Math.sqrt(87 / 7), 12);
});

test("recent batches count most", () => {
  // beta 1/2: of the values 0 and 3 the later has twice the weight of the earlier.
  const normaliser = valueNormaliser(0.5);
  normaliser.update([0]);
  normaliser.update([3]);
  expect(normaliser.moments().mean).toBeCloseTo(2, 12);
});

test("the variance is at least 0.01, and a weight below 1e-5 counts as 1e-5", () => {
  const flat = valueNormaliser(0.5);
  flat.update([6, 6]);
  expect(flat.moments()).toEqual({ mean: 6, deviation: 0.1 });
  // With weight 1e-6 one value of 50 is seen as a tenth of itself.
  const slow = valueNormaliser(1 - 1e-6);
  slow.update([50]);
  expect(slow.moments().mean).toBeCloseTo(5, 6);
  expect(slow.moments().deviation).toBeCloseTo(15, 6);
});

test("goes on from its state", () => {
  const whole = valueNormaliser(0.9);
  const first = valueNormaliser(0.9);
  for (const normaliser of [whole, first]) normaliser.update([1, -2, 3]);
  const second = valueNormaliser(0.9);
  second.restore(JSON.parse(JSON.stringify(first.state())));
  for (const normaliser of [whole, second]) normaliser.update([0.1, 0.2]);
  expect(second.state()).toEqual(whole.state());
  expect(second.moments()).toEqual(whole.moments());
});
