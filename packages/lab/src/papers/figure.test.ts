import { InputError } from "corral/errors";
import { expect, test } from "vitest";
import { betterThan, claim } from "./claims.ts";
import { curves, type FigureDefinition, figure, figureRuns, grid, panels } from "./figure.ts";
import { figures } from "./index.ts";

const base: Omit<FigureDefinition, "id"> = {
  title: "Test",
  caption: "A test.",
  runs: grid({ algorithm: "mappo", env: "aloha", config: { dag: curves({ a: "full", b: "product" }) } }),
  metric: { name: "eval/return", label: "return", better: "higher" },
  scales: { smoke: { seeds: 1, steps: 10 }, quick: { seeds: 2, steps: 20 }, paper: { seeds: 3, steps: 30 } },
  evaluateEvery: 5,
  evaluationEpisodes: 7,
  claims: [],
};

test("a grid is every combination, named after what varies", () => {
  const runs = grid({
    algorithm: curves({ MAPPO: "mappo", IPPO: "ippo" }),
    env: "coordination-game",
    config: { dag: curves({ full: "full", none: "product" }), hidden: [64, 64] },
    envConfig: { agents: panels({ "N = 2": 2, "N = 3": 3 }), epsilon: 0.1 },
  });
  expect(runs).toHaveLength(8);
  expect(runs[0]).toEqual({
    series: "MAPPO, full",
    panel: "N = 2",
    algorithm: "mappo",
    env: "coordination-game",
    config: { dag: "full", hidden: [64, 64] },
    envConfig: { agents: 2, epsilon: 0.1 },
  });
  expect(runs.map(({ series, panel }) => `${series} ${panel}`)).toEqual([
    "MAPPO, full N = 2",
    "MAPPO, full N = 3",
    "MAPPO, none N = 2",
    "MAPPO, none N = 3",
    "IPPO, full N = 2",
    "IPPO, full N = 3",
    "IPPO, none N = 2",
    "IPPO, none N = 3",
  ]);
  expect(() => grid({ algorithm: "mappo", env: "aloha" })).toThrow(InputError);
});

test("the runs of a figure are its curves times its seeds", () => {
  const runs = figureRuns(figure("test/figure-1", base), "quick");
  expect(runs.map(({ series, request }) => `${series}${request.seed}`)).toEqual(["a1", "a2", "b1", "b2"]);
  expect(runs[3]).toEqual({
    series: "b",
    request: {
      algorithm: "mappo",
      env: "aloha",
      config: { dag: "product" },
      envConfig: {},
      seed: 2,
      steps: 20,
      evaluateEvery: 5,
      evaluationEpisodes: 7,
    },
  });
  expect(figureRuns(figure("test/figure-1", base), "quick", 5)).toHaveLength(10);
  expect(() => figureRuns(figure("test/figure-1", base), "quick", 0)).toThrow("seeds: expected");
});

test("a curve that is dear has fewer runs, unless a number is asked for", () => {
  const [a, b] = base.runs;
  const dear = figure("test/figure-1", { ...base, runs: [a, { ...b, seeds: { paper: 1 } }] });
  const counts = (...where: ["quick" | "paper", number?]) =>
    ["a", "b"].map((name) => figureRuns(dear, ...where).filter(({ series }) => series === name).length);
  expect([counts("quick"), counts("paper"), counts("paper", 4)]).toEqual([
    [2, 2],
    [3, 1],
    [4, 4],
  ]);
  expect(figureRuns(dear, "paper")[3].request).not.toHaveProperty("seeds");
});

test("mistakes in a declaration are found where it is declared", () => {
  const declare = (change: Partial<FigureDefinition>) => () =>
    figure("test/figure-1", { ...base, ...change });
  expect(declare({ claims: [claim("c", betterThan("full", "b"))] })).toThrow(
    'figure test/figure-1: claim "c": unknown curve "full": expected one of a, b.',
  );
  expect(declare({ claims: [claim("c", betterThan("a", "b", { panel: "p" }))] })).toThrow('panel "p"');
  expect(declare({ runs: [...base.runs, base.runs[0]] })).toThrow("two curves are called a");
  expect(declare({ runs: [] })).toThrow("at least one curve");
  expect(declare({ scales: { ...base.scales, quick: { seeds: 0, steps: 1 } } })).toThrow("scale quick");
  expect(declare({ runs: [{ ...base.runs[0], seeds: { paper: 0 } }] })).toThrow("scale paper");
  expect(() => figure("Figure 1", base)).toThrow(InputError);
});

test("Figure 2 of Subteams asks for the paper's runs", () => {
  const game = figures["subteams/figure-2-coordination-game"];
  const runs = figureRuns(game, "paper");
  expect(runs).toHaveLength(240);
  expect([...new Set(runs.map(({ request }) => request.config.dag))]).toEqual([
    "heuristic(4)",
    "full",
    "random(4)",
    "product",
  ]);
  expect(runs[0].request).toMatchObject({
    algorithm: "mappo",
    env: "coordination-game",
    envConfig: { agents: 5, epsilon: 0.05, horizon: 20 },
    steps: 200_000,
  });
  const aloha = figureRuns(figures["subteams/figure-2-aloha"], "paper");
  expect(aloha).toHaveLength(240);
  expect(aloha[0].request).toMatchObject({ envConfig: { horizon: 25 }, steps: 500_000, evaluateEvery: 25 });
  expect(aloha[60].request.config).toEqual({ dag: "full" });
  for (const [id, definition] of Object.entries(figures)) expect(definition.id).toBe(id);
});

test("figures of exact ascents ask for 50 starts of 2000 gradient steps, and share them", () => {
  const [first, fourth, third] = ["subteams/figure-1", "subteams/figure-4", "context-aware-bn/figure-3"].map(
    (id) => figureRuns(figures[id], "paper"),
  );
  expect(first).toHaveLength(13 * 50);
  expect(fourth).toEqual(first);
  expect(third).toHaveLength(11 * 50);
  expect(first[0]).toEqual({
    series: "full",
    panel: "N = 2",
    request: {
      algorithm: "exact-policy-gradient",
      env: "coordination-game",
      config: { dag: "full" },
      envConfig: { agents: 2, epsilon: 0.05 },
      seed: 1,
      steps: 2000,
      evaluateEvery: 1,
      evaluationEpisodes: 1,
    },
  });
  expect(third[0].request.envConfig).toEqual({ agents: 2, epsilon: 0.1 });
});

test("the figures of learned DAGs ask for the paper's seeds and steps, and share their runs", () => {
  const game = figureRuns(figures["context-aware-bn/figure-4-coordination-game"], "paper");
  expect(game).toHaveLength(2 * 3 * 50);
  expect(game[0]).toMatchObject({
    series: "learned",
    panel: "N = 2",
    request: {
      config: { dag: "learned", edgeNetwork: "deep-set" },
      envConfig: { agents: 2, epsilon: 0.1, horizon: 20 },
      steps: 200_000,
    },
  });
  const aloha = figureRuns(figures["context-aware-bn/figure-4-aloha"], "paper");
  expect(aloha).toHaveLength(2 * 3 * 10);
  expect(new Set(aloha.map(({ request }) => request.config.inputNorm))).toEqual(new Set([true, "auto"]));
  expect(aloha[0].request).toMatchObject({ envConfig: { horizon: 25 }, steps: 1_000_000 });
  const there = new Set(aloha.map(({ request }) => JSON.stringify(request)));
  const isThere = ({ request }: (typeof aloha)[number]) => there.has(JSON.stringify(request));
  expect(figureRuns(figures["context-aware-bn/figure-5"], "paper").every(isThere)).toBe(true);
  // Annealing takes more and smaller updates, in the runs that it is compared with too.
  const annealing = figureRuns(figures["context-aware-bn/annealing-aloha"], "paper");
  expect(new Set(annealing.map(({ request }) => request.config.environments))).toEqual(new Set([8]));
  expect(annealing.filter(({ request }) => "annealing" in request.config)).toHaveLength(2 * 10);
});
