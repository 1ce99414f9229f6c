import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { configureEnv, environments, type FiniteModel } from "../envs/index.ts";
import { createRng } from "../random/index.ts";
import { consecutivePartition } from "../structure/index.ts";
import { loadEngine } from "../tensor/index.ts";
import { type DecompositionOptions, decompositionErrors } from "./decomposition.ts";
import { blockCells } from "./decomposition-cells.ts";
import { leastSquaresDecomposition } from "./decomposition-least-squares.ts";
import { enumerateJointActions, jointActionCount } from "./joint-action.ts";

type Game = Parameters<typeof decompositionErrors>[0];

function coordinationModel(agents: number, epsilon: number): FiniteModel {
  const env = configureEnv(environments["coordination-game"], { agents, epsilon }).factory();
  return env.model?.() ?? expect.unreachable();
}

/** What components of the Coordination Game read in Subteams: `P^k(s'|a^C)` and `r^k(s^C)`. */
const factored = (agents: number) =>
  ({
    transition: "actions",
    reward: "local-states",
    localStates: new Array<number>(agents).fill(2),
  }) as const satisfies DecompositionOptions;

/** A game whose only state comes back, with this reward of the joint action. */
function oneStateGame(actions: readonly number[], reward: readonly number[]): Game {
  return {
    actions,
    states: 1,
    transition: new Float64Array(reward.length).fill(1),
    reward: Float64Array.from(reward),
  };
}

/** Any transition probabilities and rewards in 0..1. */
function randomGame(actions: readonly number[], states: number, seed: number): Game {
  const rng = createRng(seed);
  const joint = jointActionCount(actions);
  const transition = new Float64Array(states * joint * states);
  const reward = new Float64Array(states * joint);
  rng.fillUniform(transition);
  rng.fillUniform(reward);
  for (let from = 0; from < transition.length; from += states) {
    const row = transition.subarray(from, from + states);
    const total = row.reduce((sum, weight) => sum + weight, 0);
    row.forEach((weight, next) => {
      row[next] = weight / total;
    });
  }
  return { actions, states, transition, reward };
}

describe("Table 1 of Subteams", () => {
  test.each([
    { sizes: [1, 1], leastSquares: [0.2025, 1.25], minimax: [0.2025, 1.25], noisier: [0.16, 1.25] },
    { sizes: [1, 2], leastSquares: [0.2936, 1.5], minimax: [0.2025, 1], noisier: [0.224, 1.5] },
    { sizes: [1, 1, 1], leastSquares: [0.3949, 2], minimax: [0.2632, 1.3333], noisier: [0.304, 2] },
    { sizes: [1, 4], leastSquares: [0.3384, 1.4375], minimax: [0.1833, 1], noisier: [0.2374, 1.4375] },
    { sizes: [2, 3], leastSquares: [0.4779, 2.375], minimax: [0.1929, 1.3333], noisier: [0.3382, 2.375] },
    {
      sizes: [1, 1, 1, 1, 1],
      leastSquares: [0.6019, 1.5625],
      minimax: [0.2891, 1.375],
      noisier: [0.43424, 1.5625],
    },
    { sizes: [2], leastSquares: [0, 0], minimax: [0, 0], noisier: [0, 0] },
    { sizes: [5], leastSquares: [0, 0], minimax: [0, 0], noisier: [0, 0] },
  ])("blocks $sizes", async ({ sizes, leastSquares, minimax, noisier }) => {
    const agents = sizes.reduce((sum, size) => sum + size, 0);
    const partition = consecutivePartition(sizes);
    for (const [epsilon, method, printed] of [
      [0.05, "leastSquares", leastSquares],
      [0.05, "minimax", minimax],
      [0.1, "leastSquares", noisier],
    ] as const) {
      const options = { ...factored(agents), method };
      const errors = await decompositionErrors(coordinationModel(agents, epsilon), partition, options);
      // Four decimals, whichever way a last 5 was rounded: the third minimax value is 0.26325.
      expect(Math.abs(errors.transition - printed[0])).toBeLessThan(0.5e-4 + 1e-9);
      expect(Math.abs(errors.reward - printed[1])).toBeLessThan(0.5e-4 + 1e-9);
    }
  });

  test("read with the whole state, components of the reward lose nothing and those of the transition as much", async () => {
    const model = coordinationModel(3, 0.05);
    for (const method of ["leastSquares", "minimax"] as const) {
      const errors = await decompositionErrors(model, [[0], [1], [2]], { method });
      expect(errors.reward).toBeCloseTo(0, 12);
      expect(errors.transition).toBeCloseTo(method === "minimax" ? 0.26325 : 0.394875, 10);
    }
  });
});

describe("by hand", () => {
  test("two agents, two actions: both fits leave a quarter of the interaction at every joint action", async () => {
    // Interaction 7 - 1 - 2 + 12 = 16.
    const game = oneStateGame([2, 2], [7, 1, 2, 12]);
    for (const method of ["leastSquares", "minimax"] as const) {
      const errors = await decompositionErrors(game, [[0], [1]], { method });
      expect(errors.reward).toBeCloseTo(4, 12);
      expect(errors.transition).toBeCloseTo(0, 12);
    }
  });

  test("least squares and minimax differ on an outlier", async () => {
    // Row means 1, 0, column means 1.5, 0, 0, mean 1/2: the fit of the 3 is 1 + 1.5 - 0.5 = 2.
    // Differences of the rows 3, 0, 0 have range 3, a quarter of which is the smallest largest error.
    const game = oneStateGame([2, 3], [3, 0, 0, 0, 0, 0]);
    const error = async (method: "leastSquares" | "minimax") =>
      (await decompositionErrors(game, [[1], [0]], { method })).reward;
    expect(await error("leastSquares")).toBeCloseTo(1, 12);
    expect(await error("minimax")).toBeCloseTo(0.75, 12);
  });
});

test("what least squares leaves sums to zero over every cell, and its fit is a sum over the blocks", () => {
  const digits = [2, 3, 2, 2];
  const partition = [[3, 0], [1], [2]];
  const space = blockCells(digits, partition);
  const pointDigits = enumerateJointActions(digits);
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: 48, maxLength: 48 }),
      (values) => {
        const table = Float64Array.from(values);
        const fit = leastSquaresDecomposition(space, table);
        for (const block of partition) {
          const left = new Map<string, [number, number]>();
          for (let x = 0; x < 24; x++) {
            const cell = block.map((i) => pointDigits[x * 4 + i]).join();
            const sums = left.get(cell) ?? [0, 0];
            for (const m of [0, 1]) sums[m] += table[2 * x + m] - fit[2 * x + m];
            left.set(cell, sums);
          }
          for (const sums of left.values()) for (const sum of sums) expect(sum).toBeCloseTo(0, 12);
        }
        // Agent 1 (worth 4 points) and agent 2 (worth 2) are in different blocks: no interaction between them.
        for (let x = 0; x < 24; x++) {
          const [one, two] = [pointDigits[x * 4 + 1], pointDigits[x * 4 + 2]];
          const [up, right] = [x + 4 * (((one + 1) % 3) - one), x + 2 * (1 - 2 * two)];
          const both = up + right - x;
          for (const m of [0, 1]) {
            const at = (point: number) => fit[2 * point + m];
            expect(at(both) - at(up) - at(right) + at(x)).toBeCloseTo(0, 12);
          }
        }
      },
    ),
    { numRuns: 30 },
  );
});

test("minimax for two agents, one with two actions: a quarter of the range of the rows' differences", async () => {
  // t >= |e0b - e1b| / 2 for every b, and the best constant for the differences is the middle of their range.
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.double({ min: -50, max: 50, noNaN: true }), { minLength: 10, maxLength: 10 }),
      async (reward) => {
        const differences = [0, 1, 2, 3, 4].map((b) => reward[b] - reward[5 + b]);
        const expected = (Math.max(...differences) - Math.min(...differences)) / 4;
        const errors = await decompositionErrors(oneStateGame([2, 5], reward), [[0], [1]], {
          method: "minimax",
        });
        expect(errors.reward).toBeCloseTo(expected, 8);
      },
    ),
    { numRuns: 8 },
  );
});

test("minimax errors never grow when blocks merge and are at most those of least squares (Proposition 1)", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(),
      fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 }),
      fc.constantFrom([2, 3, 2, 2], [3, 2, 2, 3]),
      async (seed, order, actions) => {
        const game = randomGame(actions, 2, seed);
        const [a, b, c, d] = order;
        const chain = [
          [[a], [b], [c], [d]],
          [[a, b], [c], [d]],
          seed % 2 === 0
            ? [
                [a, b],
                [d, c],
              ]
            : [[c, a, b], [d]],
          [[d, c, b, a]],
        ];
        let before = { transition: Infinity, reward: Infinity };
        for (const partition of chain) {
          const minimax = await decompositionErrors(game, partition, { method: "minimax" });
          const leastSquares = await decompositionErrors(game, partition);
          for (const of of ["transition", "reward"] as const) {
            expect(minimax[of]).toBeLessThanOrEqual(before[of] + 1e-9);
            expect(minimax[of]).toBeLessThanOrEqual(leastSquares[of] + 1e-9);
          }
          before = minimax;
        }
        expect(before.transition).toBeCloseTo(0, 12);
        expect(before.reward).toBeCloseTo(0, 12);
      },
    ),
    { numRuns: 4 },
  );
});

describe("networks", () => {
  test("tend to the least-squares fit, and repeat with the seed", async () => {
    const engine = await loadEngine();
    const model = coordinationModel(2, 0.05);
    const errors = (epochs: number, seed: number) =>
      decompositionErrors(model, [[0], [1]], {
        ...factored(2),
        method: "mlp",
        engine,
        rng: createRng(seed),
        epochs,
      });
    const far = await errors(20, 0);
    const near = await errors(300, 0);
    expect(Math.abs(far.reward - 1.25)).toBeGreaterThan(0.01);
    expect(Math.abs(near.transition - 0.2025)).toBeLessThan(2e-3);
    expect(Math.abs(near.reward - 1.25)).toBeLessThan(2e-3);
    expect(await errors(20, 0)).toEqual(far);
    expect(await errors(20, 1)).not.toEqual(far);
  });

  test("tell every action of an agent with more than two", async () => {
    const options = { method: "mlp", engine: await loadEngine(), rng: createRng(0), epochs: 400 } as const;
    // r = f(a_0) + g(a_1) with f = 0, 2, -1 and g = 0, 1.
    const errors = await decompositionErrors(oneStateGame([3, 2], [0, 1, 2, 3, -1, 0]), [[0], [1]], options);
    expect(errors.reward).toBeLessThan(0.01);
  });
});

describe("refuses", () => {
  const model = coordinationModel(2, 0.05);

  test.each([-1, 2.5, Number.NaN])("%d epochs", async (epochs) => {
    const options = { method: "mlp", engine: await loadEngine(), rng: createRng(0), epochs } as const;
    await expect(decompositionErrors(model, [[0], [1]], options)).rejects.toThrow(`got ${epochs}, expected`);
  });

  test.each([
    { blocks: [[0], [0, 1]] },
    { blocks: [[0]] },
    { blocks: [[0], [1], [2]] },
    { blocks: [[0, 1], []] },
  ])("blocks $blocks", async ({ blocks }) => {
    await expect(decompositionErrors(model, blocks)).rejects.toThrow("no partition of agents 0..1");
  });

  test("components that do not read what the function depends on", async () => {
    const game = randomGame([2, 2], 4, 1);
    const partition = [[0], [1]];
    await expect(decompositionErrors(game, partition, { transition: "actions" })).rejects.toThrow(
      "transition at joint action 0 differs between states 0 and 1",
    );
    await expect(
      decompositionErrors(game, partition, { reward: "local-states", localStates: [2, 2] }),
    ).rejects.toThrow("reward in state 0 differs between joint actions 0 and 1");
  });

  test("local states that are not those of the game", async () => {
    for (const localStates of [undefined, [4], [2, 3]]) {
      await expect(
        decompositionErrors(model, [[0], [1]], { reward: "local-states", localStates }),
      ).rejects.toThrow("expected 2 counts whose product is 4");
    }
  });
});
