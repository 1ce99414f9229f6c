import { expect, test } from "vitest";
import { gaussLegendre } from "./gauss-legendre.ts";

test("a rule of n nodes integrates powers up to 2n - 1 over [0, 1], and no further", () => {
  for (const count of [1, 2, 3, 8, 40]) {
    const { nodes, weights } = gaussLegendre(count);
    const integral = (power: number) => nodes.reduce((sum, x, q) => sum + weights[q] * x ** power, 0);
    for (let power = 0; power < 2 * count; power++) {
      expect(integral(power)).toBeCloseTo(1 / (power + 1), 13);
    }
    if (count <= 3) expect(Math.abs(integral(2 * count) - 1 / (2 * count + 1))).toBeGreaterThan(1e-5);
  }
});
