import { expect, test } from "vitest";
import { createRng } from "../random/index.ts";
import { assignmentSolver } from "../structure/index.ts";
import { compile, gradients, loadEngine, mul, sum } from "../tensor/index.ts";
import { dagChoices } from "./dag-chooser.ts";
import { dagGradient } from "./dag-gradient.ts";
import { dagLearner } from "./dag-learner.ts";

const engine = await loadEngine();

test.each([
  {},
  { edgeIndexing: "rank" },
  { dagOrder: "identity" },
  { dagOrder: "identity", edgeIndexing: "rank" },
] as const)(
  "equals the gradient of the expressions in float64, also far from balance: %o",
  async (variant) => {
    for (const agents of [1, 2, 5, 10]) {
      const options = { agents, dagOrder: "learned", edgeIndexing: "agent", ...variant } as const;
      const learner = dagLearner("dag", {
        ...options,
        observationSize: 1,
        sharedObservation: true,
        hidden: 1,
        edgeNetwork: "mlp",
      });
      const samples = 19;
      const shape = [samples, agents, agents];
      const program = await compile(engine, {
        name: "gradients",
        inputs: {
          order: { dtype: "float64", shape },
          edges: { dtype: "float64", shape },
          upstream: { dtype: "float64", shape },
          chosenOrder: { dtype: "int32", shape: [samples, agents] },
          chosenEdges: { dtype: "float64", shape },
        },
        build({ order, edges, upstream, chosenOrder, chosenEdges }) {
          const scores = options.dagOrder === "learned" ? { order, edges } : { edges };
          const parents = learner.parents(scores, { order: chosenOrder, edges: chosenEdges });
          const [forOrder, forEdges] = gradients(sum(mul(parents, upstream)), [order, edges]);
          return { results: { forOrder, forEdges } };
        },
      });
      const rng = createRng(agents);
      const solve = assignmentSolver(agents);
      const choices = dagChoices(samples, agents);
      const upstream = new Float32Array(samples * agents ** 2);
      const gradient = dagGradient(options, samples);
      for (const spread of [1, 10, 100]) {
        for (let k = 0; k < upstream.length; k++) {
          choices.orderScores[k] = spread * rng.gumbel();
          choices.edgeScores[k] = spread * rng.normal();
          upstream[k] = rng.normal();
        }
        for (let r = 0; r < samples; r++) {
          if (options.dagOrder === "learned") solve(choices.orderScores, r, choices.order);
          else for (let i = 0; i < agents; i++) choices.order[r * agents + i] = i;
        }
        const { inputs, results } = program;
        (inputs.order as Float64Array).set(choices.orderScores);
        (inputs.edges as Float64Array).set(choices.edgeScores);
        (inputs.upstream as Float64Array).set(upstream);
        inputs.chosenOrder.set(choices.order);
        (inputs.chosenEdges as Float64Array).set(choices.edgeScores.map((score) => (score > 0 ? 1 : 0)));
        await program.run();
        const byAgents = upstream.map(
          (_, k) =>
            upstream[
              ((Math.floor(k / agents) % samples) * agents + Math.floor(k / (samples * agents))) * agents +
                (k % agents)
            ],
        );
        const out = gradient(choices, byAgents);
        const largest = (values: ArrayLike<number>): number => Math.max(...Array.from(values, Math.abs));
        const expected = {
          order: results.forOrder as Float64Array,
          edges: results.forEdges as Float64Array,
        };
        for (const part of ["order", "edges"] as const) {
          const scale = Math.max(1e-2, largest(expected[part]));
          for (const [k, value] of expected[part].entries()) {
            expect(Math.abs(out[part][k] - value)).toBeLessThanOrEqual(2e-5 * scale);
          }
        }
        if (agents > 2) expect(largest(expected.edges)).toBeGreaterThan(1e-3);
        if (agents > 2 && options.dagOrder === "learned")
          expect(largest(expected.order)).toBeGreaterThan(1e-3);
      }
      await program.dispose();
    }
  },
);

/** The gradient for scores of `sum(upstream * Sinkhorn(scores))`, in logarithms and matrix by matrix. */
function plainSinkhornGradient(scores: number[][], upstream: number[][]): number[] {
  const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
  const turned = (matrix: number[][]): number[][] => matrix[0].map((_, j) => matrix.map((row) => row[j]));
  const normalised = (rows: number[][]): number[][] =>
    rows.map((row) => {
      const most = Math.max(...row);
      const level = most + Math.log(total(row.map((value) => Math.exp(value - most))));
      return row.map((value) => value - level);
    });
  const steps: { rows: boolean; shares: number[][] }[] = [];
  let logarithms = scores;
  for (let k = 0; k < 40; k++) {
    const rows = k % 2 === 0;
    logarithms = rows ? normalised(logarithms) : turned(normalised(turned(logarithms)));
    steps.push({ rows, shares: logarithms.map((row) => row.map(Math.exp)) });
  }
  let gradient = logarithms.map((row, i) => row.map((value, j) => Math.exp(value) * upstream[i][j]));
  for (const { rows, shares } of steps.reverse()) {
    const totals = (rows ? gradient : turned(gradient)).map(total);
    gradient = gradient.map((row, i) => row.map((value, j) => value - shares[i][j] * totals[rows ? i : j]));
  }
  return gradient.flat();
}

test.each<[string, (i: number, j: number, agents: number) => number]>([
  ["half of the matrix is out of reach", (i, j) => (j >= i ? 0 : -40)],
  ["everybody wants the same rank", (i, j) => 0.1 * i * j - (j === 0 ? 0 : 40)],
  ["two ranks are left for a third of all", (i, j, agents) => (i < agents / 3 && j > 1 ? -45 : 0)],
  ["a chain of neighbours", (i, j) => (j === i || j === i + 1 ? 0 : -50)],
  ["every other order is out of reach", (i, j) => -50 * Math.abs(i - j)],
])("is right where lines get large factors: %s", (_, score) => {
  for (const agents of [5, 30]) {
    const rng = createRng(agents);
    const choices = dagChoices(1, agents);
    const line = Array.from({ length: agents }, (_, k) => k);
    const scores = line.map((i) => line.map((j) => score(i, j, agents)));
    choices.orderScores.set(scores.flat());
    choices.edgeScores.fill(1);
    assignmentSolver(agents)(choices.orderScores, 0, choices.order);
    const forParents = Float32Array.from({ length: agents ** 2 }, () => rng.normal());
    const parentOf = (agent: number, parent: number): number => forParents[agent * agents + parent];
    // With all edges chosen an agent is the parent of all that are later, and all that are earlier are its own.
    const forPlaces = line.map((rank) =>
      line.map((agent) =>
        line.reduce((sum, other) => {
          const who = choices.order[other];
          if (other === rank) return sum;
          return sum + (other > rank ? parentOf(who, agent) : parentOf(agent, who));
        }, 0),
      ),
    );
    const options = { agents, dagOrder: "learned", edgeIndexing: "agent" } as const;
    const { order } = dagGradient(options, 1)(choices, forParents);
    const expected = plainSinkhornGradient(
      line.map((i) => line.map((j) => choices.orderScores[i * agents + j])),
      forPlaces,
    );
    const scale = Math.max(1e-2, ...expected.map(Math.abs));
    for (const [k, value] of expected.entries()) {
      expect(Math.abs(order[k] - value)).toBeLessThan(1e-4 * scale);
    }
  }
});
