import { describe, expect, test } from "vitest";
import { configureEnv, type EnvFactory, environments } from "../envs/index.ts";
import { InputError } from "../errors.ts";
import { createRng } from "../random/index.ts";
import { agentSet, type CouplingGraphs, valueDependency } from "../structure/index.ts";
import { loadEngine } from "../tensor/index.ts";
import { mastac } from "./mastac.ts";
import { measureGradientVariance, type TrainedTeam } from "./measure-gradient-variance.ts";

const engine = await loadEngine();

const teams = {
  // Zones 0 and 2 are neighbours, zone 1 is on the other level.
  box: configureEnv(environments.temperature, { agents: 3, horizon: 4 }).factory,
  // Warehouse 2 has nobody to send to.
  shares: configureEnv(environments.warehouse, {
    couplings: { agents: 3, state: [[0, 1]], observation: [[0, 1]] },
    amplitude: [-1, 1, 1],
    initialNoise: 0.5,
    horizon: 4,
  }).factory,
};

/** A learner's first parameters: linear actors, critics of one small layer. */
async function team(env: EnvFactory, settings: object): Promise<TrainedTeam> {
  const config = mastac.config.parse({
    actorHidden: [],
    criticHidden: [4],
    replayCapacity: 300,
    ...settings,
  });
  const learner = await mastac.create({ env, config, totalSteps: 1, rng: createRng(3) });
  const parameters = learner.parameters();
  await learner.dispose();
  return { env, config, parameters };
}

/** The same by simulation, moment by moment: variances of one moment's estimator, `[whole, decomposed]` of each agent. */
function simulate({ env, config, parameters }: TrainedTeam, episodes: number): [number, number][] {
  const game = env();
  const { spec } = game;
  const values = valueDependency(game.couplings!() as CouplingGraphs);
  const told = spec.actions.map((_, j) => [...agentSet(values, j)]);
  const rng = createRng("simulate");
  const observations = new Float32Array(spec.agents * spec.observationSize);
  const state = new Float32Array(spec.stateSize);
  const layer = (name: string, input: readonly number[]): number[] => {
    const { data, shape } = parameters[`${name}/w`];
    return Array.from(
      parameters[`${name}/b`].data,
      (bias, row) => bias + input.reduce((total, x, column) => total + data[row * shape[1] + column] * x, 0),
    );
  };
  const found = spec.actions.map(() => [0, 1].map(() => ({ count: 0, square: 0, sum: [] as number[] })));
  for (let episode = 0; episode < episodes; episode++) {
    game.reset(rng.split(String(episode)));
    for (let step = 0; step < spec.horizon; step++) {
      game.observe(observations, 0);
      game.state(state, 0);
      const states = spec.actions.map((_, i) => {
        const size = spec.stateSizes![i];
        return Array.from(state.subarray(i * size, (i + 1) * size));
      });
      const scores: number[][] = [];
      const shown: number[][] = [];
      const played: number[] = [];
      spec.actions.forEach((space, i) => {
        const own = Array.from(
          observations.subarray(
            i * spec.observationSize,
            i * spec.observationSize + spec.observationSizes![i],
          ),
        );
        const last = layer(`actor/${i}/0`, own);
        const noise = last.map(() => rng.normal());
        const deviation = space.kind === "box" ? 0.1 : 0.3;
        if (space.kind === "box") {
          const mean = Math.tanh(last[0]);
          const action = Math.max(-1, Math.min(1, mean + deviation * noise[0]));
          shown.push([action]);
          played.push(30 * action);
          scores.push([...own, 1].map((x) => (noise[0] / deviation) * (1 - mean ** 2) * x));
        } else {
          const powers = last.map((logit, k) => Math.exp(logit + deviation * noise[k]));
          const total = powers.reduce((sum, power) => sum + power, 0);
          const action = powers.map((power) => power / total);
          shown.push(action);
          played.push(...action);
          scores.push(noise.flatMap((e) => [...own, 1].map((x) => (e / deviation) * x)));
        }
      });
      const critics = told.map((agents, j) => {
        const input = [...agents.flatMap((i) => states[i]), ...agents.flatMap((i) => shown[i])];
        const hidden = layer(`critic/${j}/0`, input).map((x) => Math.max(0, x));
        return layer(`critic/${j}/1`, hidden)[0];
      });
      scores.forEach((score, i) => {
        const near = critics.filter((_, j) => told[j].includes(i));
        [critics, near].forEach((summed, which) => {
          const value = summed.reduce((total, x) => total + x, 0);
          const into = found[i][which];
          into.count++;
          score.forEach((x, k) => {
            into.square += (value * x) ** 2;
            into.sum[k] = (into.sum[k] ?? 0) + value * x;
          });
        });
      });
      game.step(Float32Array.from(played));
    }
  }
  expect(config.critics).toBe("decomposed");
  return found.map(
    (both) =>
      both.map(
        ({ count, square, sum }) => square / count - sum.reduce((total, x) => total + (x / count) ** 2, 0),
      ) as [number, number],
  );
}

describe("equals a simulation, moment by moment", () => {
  test.each(Object.keys(teams) as (keyof typeof teams)[])("%s", async (name) => {
    const trained = await team(teams[name], {});
    const batchSize = 32;
    const measured = await measureGradientVariance(
      engine,
      trained,
      { batches: 2500, batchSize },
      createRng(5),
    );
    const simulated = simulate(trained, 20_000);
    for (const [agent, [whole, decomposed]] of simulated.entries()) {
      expect((measured.whole[agent] * batchSize) / whole).toBeCloseTo(1, 0.8);
      expect((measured.decomposed[agent] * batchSize) / decomposed).toBeCloseTo(1, 0.8);
      // Nobody's action matters to all three values.
      expect(Math.abs(whole / decomposed - 1)).toBeGreaterThan(0.2);
    }
  });
});

test("agents that take their steps in turn, and undecomposed critics, are measured too", async () => {
  const options = { batches: 4, batchSize: 8 };
  const together = await team(teams.box, {});
  const inTurn = { ...together, config: { ...together.config, order: "coordinated" as const } };
  const measured = await measureGradientVariance(engine, together, options, createRng(1));
  const again = await measureGradientVariance(engine, inTurn, options, createRng(1));
  for (const kind of ["whole", "decomposed"] as const) {
    measured[kind].forEach((value, agent) => {
      expect(again[kind][agent] / value).toBeCloseTo(1, 4);
    });
  }
  const undecomposed = await team(teams.box, { critics: "undecomposed", gradientDependency: "full" });
  const { whole, decomposed } = await measureGradientVariance(engine, undecomposed, options, createRng(1));
  expect(whole).toEqual(decomposed);
});

test.each([
  ["box", { deviation: 0 }, "mastac.deviation: got 0, expected a team that explores"],
  ["shares", { head: "simplex" }, "mastac.head: got simplex, expected normal noise"],
  ["box", { critics: "undecomposed-sum" }, "mastac.critics: those of undecomposed-sum are sums already"],
] as const)("refuses what it cannot measure: %s %j", async (name, settings, message) => {
  const measure = measureGradientVariance(
    engine,
    await team(teams[name], settings),
    { batches: 2, batchSize: 4 },
    createRng(1),
  );
  await expect(measure).rejects.toThrow(InputError);
  await expect(measure).rejects.toThrow(message);
});
