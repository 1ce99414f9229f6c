import type { EnvSpec } from "../envs/index.ts";
import {
  type AgentNetworks,
  type AgentRows,
  asColumns,
  chosenActions,
  consecutiveRows,
  joinRows,
  observationRows,
  type PolicyHead,
  type PolicyOutput,
  selectRows,
} from "../models/index.ts";
import {
  compile,
  constant,
  type Engine,
  type Expr,
  float32,
  frozen,
  type Layout,
  layoutOf,
  namedArrays,
  reshape,
  sizeOf,
  trace,
  transpose,
  unpack,
  type Variable,
  type Views,
} from "../tensor/index.ts";
import type { JointPolicy } from "./joint-policy.ts";

/**
 * Distributions over the decisions of agents that have a network each, and see nothing but what they observe. Tables have a
 * column for each of `B` samples: observations `[N O, B]`, decisions `[D, B]`, actions that may be played `[N A, B]`.
 */
export interface AgentPolicies {
  /** What every group's networks say. @param available 1 for actions that may be played, where some may not */
  outputs(views: Views, observations: Expr, available?: Expr): readonly PolicyOutput[];
  /** Drawn by noise `[D, B]`, without it the most likely, `[D, B]`. */
  decide(outputs: readonly PolicyOutput[], noise?: Expr): Expr;
  /** Of each agent's decision, `[N, B]`. */
  logProbabilities(outputs: readonly PolicyOutput[], decisions: Expr): Expr;
  /** `[N, B]` */
  entropies(outputs: readonly PolicyOutput[]): Expr;
  /** As critics are told them: real vectors `[K, B]`, or one-hot as decisions are, `[D, B]`. */
  actions(decisions: Expr): Expr;
  /** As environments take them: real vectors `[K, B]`, or int32 `[N, B]`. */
  played(decisions: Expr): Expr;
}

export function agentPolicies(spec: EnvSpec, head: PolicyHead, networks: AgentNetworks): AgentPolicies {
  const { groups } = networks;
  const observed = observationRows(spec);
  const single = spec.actions.map((_, agent) => [agent]);
  const ofGroups = (table: Expr, rows: AgentRows): readonly Expr[] =>
    groups.map(({ agents }) =>
      selectRows(
        table,
        agents.map((agent) => rows[agent]),
      ),
    );
  const actionsOfGroups = (decisions: Expr): readonly Expr[] =>
    ofGroups(decisions, head.rows).map((own, k) => head.actions(groups[k], own));
  /** `[G, B]` of each group to `[N, B]`. */
  const joined = (parts: readonly Expr[]): Expr =>
    joinRows(
      groups,
      parts.map((part) => reshape(part, [part.shape[0], 1, part.shape[1]])),
      single,
    );
  return {
    outputs(views, observations, available) {
      const allowed =
        available &&
        ofGroups(available, maskRows(available.shape[0] / spec.agents, spec.actions.length, head));
      return networks
        .apply(views, ofGroups(observations, observed))
        .map((last, k) => outputOf(networks, views, k, last, allowed?.[k]));
    },
    decide(outputs, noise) {
      const drawn = noise && ofGroups(noise, head.rows);
      return joinRows(
        groups,
        outputs.map((output, k) => head.decide(output, drawn?.[k])),
        head.rows,
      );
    },
    logProbabilities(outputs, decisions) {
      const own = ofGroups(decisions, head.rows);
      return joined(outputs.map((output, k) => head.logProbabilities(output, own[k])));
    },
    entropies: (outputs) => joined(outputs.map(head.entropies)),
    actions: (decisions) => joinRows(groups, actionsOfGroups(decisions), head.rows),
    played(decisions) {
      const parts = actionsOfGroups(decisions);
      return head.kind === "categorical"
        ? joined(parts.map(chosenActions))
        : joinRows(groups, parts, head.rows);
    },
  };
}

/** Masks of each agent's actions among those of all, `A` for each agent, padding included. */
const maskRows = (most: number, agents: number, { rows }: PolicyHead): AgentRows =>
  consecutiveRows(new Array<number>(agents).fill(most)).map((own, agent) => own.slice(0, rows[agent].length));

const outputOf = (
  networks: AgentNetworks,
  views: Views,
  group: number,
  last: Expr,
  available: Expr | undefined,
): PolicyOutput => ({
  group: networks.groups[group],
  last,
  logDeviations: networks.logDeviations(views, group),
  available,
});

export interface ModalPolicyOptions {
  /** Of the algorithm, for messages. */
  readonly name: string;
  readonly spec: EnvSpec;
  readonly head: PolicyHead;
  readonly actor: { readonly networks: AgentNetworks; readonly vector: Variable; readonly layout: Layout };
  /** `A`, the most actions that an agent has, where some may not be played; else undefined. */
  readonly masked: number | undefined;
}

export interface ModalPolicy {
  /** The policy for `size` environments, which always makes the most likely decisions. */
  create(size: number): Promise<JointPolicy<Int32Array | Float32Array>>;
  /**
   * An ONNX file of the whole team with the present parameters inside: from `observations` `[1, N, O]`, and `available`
   * `[1, N, A]` where actions may be unavailable, to `actions`: the agents' vectors one after the other `[1, K]`, or
   * int32 `[1, N]`.
   */
  export(): Uint8Array;
  /**
   * An ONNX file for each agent, `agent-0`, `agent-1`, ...: from its own `observation` `[1, O_i]`, without padding, and
   * `available` `[1, A_i]` where actions may be unavailable, to its own `action` `[1, K_i]`, or int32 `[1, 1]`.
   */
  exportEach(): Readonly<Record<string, Uint8Array>>;
}

/** Agents that play the most likely decision of a distribution each: the middle of a normal one. */
export function modalPolicy(
  engine: Engine,
  { name, spec, head, actor, masked }: ModalPolicyOptions,
): ModalPolicy {
  const { networks, vector, layout } = actor;
  const { agents, observationSize } = spec;
  const policies = agentPolicies(spec, head, networks);
  const inputs = (size: number) => ({
    observations: float32(size, agents, observationSize),
    ...(masked === undefined ? {} : { available: float32(size, agents, masked) }),
  });
  const play = (
    views: Views,
    { observations, available }: { readonly observations: Expr; readonly available?: Expr },
  ) => {
    const outputs = policies.outputs(views, asColumns(observations), available && asColumns(available));
    return { results: { actions: asSamples(policies.played(policies.decide(outputs))) } };
  };
  return {
    async create(size) {
      const program = await compile(engine, {
        name: `${name}: act`,
        inputs: inputs(size),
        variables: { parameters: vector },
        build: (leaves) => play(unpack(leaves.parameters, layout), leaves),
      });
      const { observations, available } = program.inputs;
      return {
        observations,
        available,
        actions: program.results.actions as Int32Array | Float32Array,
        memory: {},
        choose: program.run,
        dispose: program.dispose,
      };
    },
    export: () =>
      trace({
        name: `${name}: act`,
        inputs: inputs(1),
        variables: {},
        build: (leaves) => play(unpack(frozen(vector), layout), leaves),
      }).onnx,
    exportEach() {
      const named = namedArrays(vector.values as Float32Array, layoutOf(networks.parametersOfAgents));
      return Object.fromEntries(
        Array.from({ length: agents }, (_, agent) => {
          const own = networks.alone(agent);
          const [group] = own.groups;
          const views = Object.fromEntries(
            own.parameters.map(({ name, shape }, k) => [
              name,
              constant("float32", shape, named[own.parametersOfAgents[k].name].data),
            ]),
          );
          const { onnx } = trace({
            name: `${name}: act as agent ${agent}`,
            inputs: {
              observation: float32(1, group.inputs),
              ...(masked === undefined ? {} : { available: float32(1, group.outputs) }),
            },
            variables: {},
            build(leaves) {
              const stacked = (values: Expr): Expr => reshape(values, [1, values.shape[1], 1]);
              const [last] = own.apply(views, [stacked(leaves.observation)]);
              const available = leaves.available && stacked(leaves.available);
              const decision = head.decide(outputOf(own, views, 0, last, available));
              const action =
                head.kind === "categorical" ? chosenActions(decision) : head.actions(group, decision);
              return { results: { action: reshape(action, [1, sizeOf(action.shape)]) } };
            },
          });
          return [`agent-${agent}`, onnx];
        }),
      );
    },
  };
}

/** `[K, B] -> [B, K]` */
const asSamples = (columns: Expr): Expr => transpose(columns, [1, 0]);
