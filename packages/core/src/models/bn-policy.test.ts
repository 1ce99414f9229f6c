import { InferenceSession, Tensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { createRng } from "../random/index.ts";
import { layoutOf, loadEngine, variable } from "../tensor/index.ts";
import { type BnActorOptions, bnActor } from "./bn-actor.ts";
import { bnPolicy } from "./bn-policy.ts";
import { conditionalRowBuilder } from "./conditional-rows.ts";
import { dagWriter, parseDagSource } from "./dag-source.ts";

const engine = await loadEngine();

function randomPolicy(dag: string, masked: boolean, options: Partial<BnActorOptions> = {}) {
  const actor = bnActor("actor", {
    agents: 4,
    observationSize: 2,
    actions: 3,
    hidden: 6,
    inputNorm: "auto",
    hiddenNorm: true,
    parentInput: "observations-and-actions",
    heads: "per-agent",
    ...options,
  });
  const layout = layoutOf(actor.parameters);
  const values = new Float32Array(layout.size);
  createRng("parameters").fillNormal(values);
  const vector = variable("actor", "float32", [layout.size], values);
  const dagSource = parseDagSource(dag, actor.options.agents, false);
  const policy = bnPolicy(engine, "test", { actor, layout, vector }, { dagSource, masked });
  return { vector, policy, dagSource };
}

describe("the exported file", () => {
  test.each([
    ["full", false, {}],
    ["random(3)", false, { parentInput: "actions" }],
    ["2+2", true, { heads: "shared" }],
    ["product", true, {}],
  ] as const)("acts by itself as the policy does: dag=%s, masked %s, %o", async (dag, masked, options) => {
    const { policy, dagSource } = randomPolicy(dag, masked, options);
    const { agents, observationSize, actions } = policy.actor.options;
    const actor = await policy.createActor(1);
    const session = await InferenceSession.create(policy.export());
    const names = ["observations", "parents", "order", "noise", ...(masked ? ["available"] : [])];
    expect([...session.inputNames].sort()).toEqual([...names].sort());
    expect([...session.outputNames].sort()).toEqual(["actions", "logProbabilities"]);

    const rng = createRng(dag);
    const dags = dagWriter(dagSource, 1, agents);
    const chosen = new Set<number>();
    for (let draw = 0; draw < 20; draw++) {
      rng.fillNormal(actor.observations);
      dags.draw({ rng }, actor.dags);
      rng.fillGumbel(actor.noise);
      actor.available?.forEach((_, k, mask) => {
        mask[k] = k % actions === draw % actions ? 1 : rng.integer(2);
      });
      await actor.run();
      const results = await session.run({
        observations: new Tensor("float32", actor.observations, [1, agents, observationSize]),
        parents: new Tensor("float32", actor.dags.parents, [1, agents, agents]),
        order: new Tensor("int32", actor.dags.order, [1, agents]),
        noise: new Tensor("float32", actor.noise, [1, agents, actions]),
        ...(actor.available === undefined
          ? {}
          : { available: new Tensor("float32", actor.available, [1, agents, actions]) }),
      });
      expect(results.actions.dims).toEqual([1, agents]);
      expect(results.logProbabilities.dims).toEqual([1, agents]);
      expect(results.actions.data).toEqual(actor.actions);
      const logs = results.logProbabilities.data as Float32Array;
      for (const [k, log] of actor.logProbabilities.entries()) expect(logs[k]).toBeCloseTo(log, 5);
      for (const action of actor.actions) chosen.add(action);
    }
    expect(chosen.size).toBeGreaterThan(1);
    await session.release();
    await policy.dispose();
  });

  test("holds the parameters of the moment it was made", async () => {
    const { policy, vector } = randomPolicy("full", false);
    const before = policy.export();
    expect(policy.export()).toEqual(before);
    (vector.values as Float32Array)[0] += 1;
    expect(policy.export()).not.toEqual(before);
    vector.advance();
    (vector.values as Float32Array).fill(0.5);
    const other = policy.export();
    vector.advance();
    expect(policy.export()).not.toEqual(other);
  });
});

describe("the policy", () => {
  test("keeps one joint actor for each number of environments", async () => {
    const { policy } = randomPolicy("full", false);
    const actor = await policy.actorFor(3);
    expect(await policy.actorFor(3)).toBe(actor);
    expect(await policy.actorFor(2)).not.toBe(actor);
    expect(actor.actions).toHaveLength(3 * 4);
    expect(actor.available).toBeUndefined();
    await policy.dispose();
  });

  test("reads observations from the memory it was given", async () => {
    const { policy, dagSource } = randomPolicy("full", false);
    const observations = new Float32Array(2 * 4 * 2);
    const actor = await policy.createActor(2, observations);
    expect(actor.observations).toBe(observations);
    const other = await policy.createActor(2);
    createRng(3).fillNormal(observations);
    other.observations.set(observations);
    for (const each of [actor, other]) {
      dagWriter(dagSource, 2, 4).draw({ rng: createRng(0) }, each.dags);
      await each.run();
    }
    expect(actor.logProbabilities).toEqual(other.logProbabilities);
    await actor.dispose();
    await other.dispose();
  });

  test.each([false, true])("answers for decisions as it acted, masked %s", async (masked) => {
    const { policy, dagSource } = randomPolicy("random(4)", masked);
    const batch = 25;
    const actor = await policy.createActor(batch);
    const rng = createRng(9);
    rng.fillNormal(actor.observations);
    rng.fillGumbel(actor.noise);
    dagWriter(dagSource, batch, 4).draw({ rng }, actor.dags);
    actor.available?.forEach((_, k, mask) => {
      mask[k] = k % 3 === 1 ? 1 : rng.integer(2);
    });
    await actor.run();
    const rows = conditionalRowBuilder(policy.actor, batch)({ ...actor, parents: actor.dags.parents });
    const table = await policy.logProbabilities(rows);
    for (const [k, action] of actor.actions.entries()) {
      expect(Math.abs(table[rows.rowOf[k] * 3 + action] - actor.logProbabilities[k])).toBeLessThan(1e-6);
      if (masked) expect(actor.available![k * 3 + action]).toBe(1);
    }
    await actor.dispose();
    await policy.dispose();
  });
});
