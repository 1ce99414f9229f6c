/**
 * MAPPO's policy step where networks choose the DAGs (Context-aware BN, Section 5).
 *
 * Each sample's DAG was chosen under noise of its own, which is stored with the sample: the update chooses again under
 * the same noise, and the policy's loss is the networks' loss too, by way of the parent inputs that an edge lets through.
 * A program for the policy gives the gradient for parents, a kernel carries it to the scores of edges and order, and a
 * second program takes it from there to the networks' parameters.
 */
import type { Learnable, Rollout } from "../learn/index.ts";
import {
  type BnPolicy,
  type ConditionalRows,
  type DagChoices,
  type DagLearner,
  dagChoices,
  dagGradient,
  jointObservationInputs,
  jointObservationTable,
  logProbabilitiesUnderDags,
  toldWriter,
  writeChosenParents,
} from "../models/index.ts";
import {
  add,
  compile,
  copyRows,
  distinctRowFinder,
  type Engine,
  float32,
  gradients,
  int32,
  mul,
  sizedPrograms,
  sum,
  unpack,
} from "../tensor/index.ts";
import {
  clippedStep,
  fillObjective,
  objectiveInputs,
  objectiveMetrics,
  type PolicyStepper,
  ratioStatistics,
  sumByDecision,
} from "./clipped-objective.ts";

/** Clipped steps of the policy and of the networks that choose its DAGs, on minibatches of the rollout. */
export function createDagStepper(
  engine: Engine,
  policy: BnPolicy,
  network: Learnable,
  dag: Learnable & { readonly learner: DagLearner },
  rollout: Rollout,
  minibatchSize: number,
  clipRange: number,
): PolicyStepper {
  const { agents, actions, observationSize } = policy.actor.options;
  const { learner } = dag;
  const samples = rollout.steps * rollout.environments;
  const rows = minibatchSize * agents;
  const findObservations = distinctRowFinder(rows);
  const jointTable = jointObservationTable(learner, minibatchSize);
  const writer = policy.createDagWriter(minibatchSize);
  // A minibatch of everything needs no copy: its choices are made again where they are.
  const own = minibatchSize === samples ? undefined : dagChoices(minibatchSize, agents);
  const observations = new Float32Array(rows * observationSize);
  const available = new Float32Array(policy.masked ? rows * actions : 0);
  const acted = new Int32Array(rows);
  const writeTold = toldWriter(policy.actor);
  // In programs about the policy agents come before samples.
  const everyRow: Pick<ConditionalRows, "rowOf" | "sizes"> = {
    rowOf: Int32Array.from({ length: rows }, (_, k) => (k % agents) * minibatchSize + Math.floor(k / agents)),
    sizes: [rows, rows, rows],
  };
  const distance = { sample: agents, child: rows };
  const pairs = float32(minibatchSize, agents, agents);
  const toScores = dagGradient(learner.options, minibatchSize);
  const mostEdges = Math.max(1, (minibatchSize * agents * (agents - 1)) / 2);

  const policyPrograms = sizedPrograms((observationRows: number) =>
    compile(engine, {
      name: "mappo: policy step with learned DAGs",
      inputs: {
        parents: float32(agents, minibatchSize, agents),
        told: float32(minibatchSize, policy.actor.parentInputSize),
        observations: float32(observationRows, observationSize),
        observationOf: int32(rows),
        ...(policy.masked ? { available: float32(rows, actions) } : {}),
        ...objectiveInputs(rows, actions),
      },
      variables: network.variables,
      build(leaves) {
        const views = unpack(leaves.parameters, network.layout);
        const logProbabilities = logProbabilitiesUnderDags(policy.actor, views, leaves);
        const { loss, results, updates } = clippedStep(network, logProbabilities, views, leaves, clipRange);
        const [forParents] = gradients(loss, [leaves.parents]);
        return { results: { ...results, forParents }, updates };
      },
      finite: ["policy loss", "actor gradient norm"],
    }),
  );
  const dagPrograms = sizedPrograms((jointRows: number) =>
    compile(engine, {
      name: "mappo: DAG step",
      inputs: {
        ...jointObservationInputs(learner, minibatchSize, jointRows),
        ...(learner.options.dagOrder === "learned" ? { forOrder: pairs } : {}),
        forEdges: pairs,
      },
      variables: dag.variables,
      build(leaves) {
        const views = unpack(leaves.parameters, dag.layout);
        const { order, edges } = learner.scores(views, leaves);
        const throughEdges = sum(mul(edges, leaves.forEdges));
        const loss =
          order === undefined ? throughEdges : add(sum(mul(order, leaves.forOrder!)), throughEdges);
        const { gradientNorm, updates } = dag.step(loss, views, leaves);
        return { results: { "DAG gradient norm": gradientNorm }, updates };
      },
      finite: ["DAG gradient norm"],
    }),
  );

  return {
    async prepare(minibatch, decisions, advantages, chosen) {
      const take = <T extends Float32Array | Float64Array | Int32Array>(from: T, to: T): void =>
        copyRows(from, from.length / samples, minibatch, minibatchSize, to);
      const all = decisions.dagChoices!;
      const choices = own ?? all;
      if (own !== undefined) {
        for (const part of Object.keys(own) as (keyof DagChoices)[]) take(all[part], own[part]);
      }
      take(rollout.observations, observations);
      const joint = jointTable(observations);
      const distinct = findObservations(observations, rows, observationSize);
      const observationRows = Math.min(rows, 2 ** Math.ceil(Math.log2(distinct.count)));
      const policyProgram = await policyPrograms.for(observationRows);
      const dagProgram = await dagPrograms.for(joint.rows);
      const { inputs, results } = policyProgram;
      joint.fill(dagProgram.inputs.jointObservations, dagProgram.inputs.jointRow);
      copyRows(observations, observationSize, distinct.first, distinct.count, inputs.observations);
      take(decisions.actions, acted);
      if (policy.masked) take(rollout.available!, available);
      inputs.told.fill(0);
      const slot = policy.actor.parentInputSize / agents;
      for (let k = 0; k < rows; k++) {
        writeTold(observations, acted, k, inputs.told, k * slot);
        const row = everyRow.rowOf[k];
        inputs.observationOf[row] = distinct.index[k];
        if (policy.masked) {
          const mask = available.subarray(k * actions, (k + 1) * actions);
          (inputs.available as Float32Array).set(mask, row * actions);
        }
      }
      const sums = sumByDecision(minibatch, everyRow, advantages, rollout, agents, actions);
      fillObjective(inputs, sums);
      let current = chosen;
      return async (entropyCoefficient, pull) => {
        if (!current) await writer.chooseAgain!(observations, choices);
        current = false;
        const density = writeChosenParents(learner.options, choices, inputs.parents, distance) / mostEdges;
        inputs.entropyCoefficient[0] = entropyCoefficient;
        await policyProgram.run();
        const forParents = results.forParents as Float32Array;
        if (pull.weight > 0) {
          const slope = (pull.weight * Math.sign(density - pull.target)) / mostEdges;
          for (let k = 0; k < forParents.length; k++) forParents[k] += slope;
        }
        const forScores = toScores(choices, forParents);
        dagProgram.inputs.forOrder?.set(forScores.order);
        dagProgram.inputs.forEdges.set(forScores.edges);
        await dagProgram.run();
        return {
          ...objectiveMetrics(results),
          "train/dag-gradient-norm": Number(dagProgram.results["DAG gradient norm"][0]),
          "train/density": density,
          "train/density-target": pull.target,
          "train/density-weight": pull.weight,
          "train/distinct-decisions": rows,
          ...ratioStatistics(results.logProbabilities as Float32Array, sums, clipRange),
        };
      };
    },
    async dispose() {
      await policyPrograms.dispose();
      await dagPrograms.dispose();
    },
  };
}
