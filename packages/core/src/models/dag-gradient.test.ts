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
