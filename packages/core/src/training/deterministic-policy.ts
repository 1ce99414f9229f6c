import type { EnvSpec } from "../envs/index.ts";
import {
  type ActionHead,
  type AgentNetworks,
  actionRows,
  asColumns,
  joinRows,
  observationRows,
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
  trace,
  transpose,
  unpack,
  type Variable,
  type Views,
} from "../tensor/index.ts";
import type { JointPolicy } from "./joint-policy.ts";

/** Networks of some agents and the parameters that they have at one moment. */
export interface ActorsNow {
  readonly networks: AgentNetworks;
  readonly views: Views;
}

/**
 * The joint action of actors that map what each agent observes to a real vector.
 *
 * @param actors of all agents between them, or of some
 * @param observations of all agents, padding included, a column for each sample: `[N O, B]`
 * @param noise explores when given, `[K, B]`
 * @param otherwise what agents without actors do, `[K, B]`
 * @returns `[K, B]`
 */
export function jointActions(
  spec: EnvSpec,
  head: ActionHead,
  actors: readonly ActorsNow[],
  observations: Expr,
  noise?: Expr,
  otherwise?: Expr,
): Expr {
  const observed = observationRows(spec);
  const rows = actionRows(spec);
  const parts = actors.flatMap(({ networks, views }) => {
    const inputs = networks.groups.map(({ agents }) =>
      selectRows(
        observations,
        agents.map((agent) => observed[agent]),
      ),
    );
    return networks.apply(views, inputs).map((last, k) => {
      const group = networks.groups[k];
      const own =
        noise &&
        selectRows(
          noise,
          group.agents.map((agent) => rows[agent]),
        );
      return head.apply(group, last, own);
    });
  });
  return joinRows(
    actors.flatMap(({ networks }) => networks.groups),
    parts,
    rows,
    otherwise,
  );
}

export interface DeterministicPolicyOptions {
  /** Of the algorithm, for messages. */
  readonly name: string;
  readonly spec: EnvSpec;
  readonly head: ActionHead;
  /** All agents' between them. */
  readonly actors: readonly {
    readonly networks: AgentNetworks;
    readonly vector: Variable;
    readonly layout: Layout;
  }[];
}

export interface DeterministicPolicy {
  /** The policy for `size` environments: with the head's noise when told to explore. */
  create(size: number): Promise<JointPolicy<Float32Array>>;
  /**
   * An ONNX file of the whole team with the present parameters inside, without noise: from `observations` `[1, N, O]` to
   * `actions` `[1, K]`, the agents' vectors one after the other.
   */
  export(): Uint8Array;
  /**
   * An ONNX file for each agent, `agent-0`, `agent-1`, ...: from its own `observation` `[1, O_i]`, without padding, to its
   * own `action` `[1, K_i]`.
   */
  exportEach(): Readonly<Record<string, Uint8Array>>;
}

/** Every agent maps what it observes to a real vector by a network of its own. */
export function deterministicPolicy(
  engine: Engine,
  { name, spec, head, actors }: DeterministicPolicyOptions,
): DeterministicPolicy {
  const { agents, observationSize } = spec;
  const rows = actionRows(spec);
  const width = rows.reduce((total, own) => total + own.length, 0);
  const asSamples = (columns: Expr): Expr => transpose(columns, [1, 0]);

  return {
    async create(size) {
      const program = await compile(engine, {
        name: `${name}: act`,
        inputs: { observations: float32(size, agents, observationSize), noise: float32(size, width) },
        variables: Object.fromEntries(actors.map(({ vector }) => [vector.name, vector])),
        build(leaves) {
          const now = actors.map(({ networks, vector, layout }) => ({
            networks,
            views: unpack((leaves as Record<string, Expr>)[vector.name], layout),
          }));
          const actions = jointActions(
            spec,
            head,
            now,
            asColumns(leaves.observations),
            asColumns(leaves.noise),
          );
          return { results: { actions: asSamples(actions) } };
        },
      });
      const { observations, noise } = program.inputs;
      return {
        observations,
        actions: program.results.actions as Float32Array,
        memory: {},
        async choose(exploration) {
          if (exploration === undefined) noise.fill(0);
          else if (head.noise === "normal") exploration.rng.fillNormal(noise);
          else exploration.rng.fillGumbel(noise);
          await program.run();
        },
        dispose: program.dispose,
      };
    },
    export: () =>
      trace({
        name: `${name}: act`,
        inputs: { observations: float32(1, agents, observationSize) },
        build({ observations }) {
          const now = actors.map(({ networks, vector, layout }) => ({
            networks,
            views: unpack(frozen(vector), layout),
          }));
          return { results: { actions: asSamples(jointActions(spec, head, now, asColumns(observations))) } };
        },
      }).onnx,
    exportEach() {
      const files = actors.flatMap(({ networks, vector }) => {
        const named = namedArrays(vector.values as Float32Array, layoutOf(networks.parametersOfAgents));
        return networks.groups.flatMap((group) =>
          group.agents.map((agent) => {
            const own = networks.alone(agent);
            const views = Object.fromEntries(
              own.parameters.map(({ name, shape }, k) => [
                name,
                constant("float32", shape, named[own.parametersOfAgents[k].name].data),
              ]),
            );
            const { onnx } = trace({
              name: `${name}: act as agent ${agent}`,
              inputs: { observation: float32(1, group.inputs) },
              build({ observation }) {
                const inputs = selectRows(asColumns(observation), [
                  Array.from({ length: group.inputs }, (_, row) => row),
                ]);
                const [last] = own.apply(views, [inputs]);
                const action = head.apply(own.groups[0], last);
                return { results: { action: asSamples(reshape(action, [action.shape[1], 1])) } };
              },
            });
            return [agent, onnx] as const;
          }),
        );
      });
      return Object.fromEntries(
        files.sort(([a], [b]) => a - b).map(([agent, onnx]) => [`agent-${agent}`, onnx]),
      );
    },
  };
}
