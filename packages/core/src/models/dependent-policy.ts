import {
  add,
  concat,
  constant,
  type Expr,
  elu,
  gemm,
  mul,
  nn,
  oneHot,
  type Parameter,
  reshape,
  rows,
  sizeOf,
  slice,
  split,
  stopGradient,
  type Views,
} from "../tensor/index.ts";
import { drawActions, type PolicyConditions, policyLogProbabilities } from "./stochastic-policy.ts";

export interface ActionDependencyOptions {
  /** `N`. */
  readonly agents: number;
  /** `A`: the largest number of actions of an agent. */
  readonly actions: number;
  /** `H`: features of an agent. */
  readonly hidden: number;
  /** Width of an embedded action. */
  readonly embedding: number;
}

/** What an agent decides by, in any number of decisions at once. */
export interface DependentDecision extends PolicyConditions {
  /** Of the independent policy, `[..., N, A]`. */
  readonly logits: Expr;
  /** `[..., N, H]` */
  readonly features: Expr;
  /** Standard Gumbel, zeros for the most likely action of each agent after the other, `[..., N, A]`. */
  readonly noise: Expr;
}

/**
 * What makes an independent policy (or utility) depend on the actions of earlier agents (MACPF; Wang et al. 2023):
 * `[independent] + head(features_i, 1/N sum_{j < i} elu(embed(id_j, a_j)))`, no gradient through the bracket. Agents
 * come in the order of their indices, so the first depends on nobody.
 *
 * The head is linear, so what an action of one agent adds for every later agent is one row of a table.
 */
export interface ActionDependency {
  readonly options: ActionDependencyOptions;
  readonly parameters: readonly Parameter[];
  /** Logits or utilities that know earlier agents' actions: `[..., N, A]`, `[..., N, H]`, one-hot `[..., N, A] -> [..., N, A]`. */
  apply(views: Views, independent: Expr, features: Expr, actions: Expr): Expr;
  /** One-hot actions `[..., N, A]` of the dependent policy, drawn one agent after the other; no gradient. */
  draw(views: Views, decision: DependentDecision): Expr;
}

export function actionDependency(name: string, options: ActionDependencyOptions): ActionDependency {
  const { agents, actions, hidden, embedding } = options;
  const embed = nn.linear(`${name}/embed`, agents + actions, embedding);
  const head = nn.linear(`${name}/head`, hidden + embedding, actions);
  const [embedWeights, embedBiases] = embed.parameters;
  const [headWeights, headBiases] = head.parameters;

  /** What the features give, `[..., N, H] -> [..., N, A]`. */
  const fromFeatures = (views: Views, features: Expr): Expr => {
    const weights = slice(views[headWeights.name], 0, 0, hidden);
    const table = gemm(rows(features), weights, views[headBiases.name]);
    return reshape(table, [...features.shape.slice(0, -1), actions]);
  };

  /** What each action of each agent adds for every agent after it, `[N * A, A]`. */
  const fromActions = (views: Views): Expr => {
    const weights = views[embedWeights.name];
    const agent = reshape(slice(weights, 0, 0, agents), [agents, 1, embedding]);
    const action = reshape(slice(weights, 0, agents, agents + actions), [1, actions, embedding]);
    const embedded = elu(add(add(agent, action), views[embedBiases.name]));
    const weightsOfHead = slice(views[headWeights.name], 0, hidden, hidden + embedding);
    return mul(gemm(reshape(embedded, [agents * actions, embedding]), weightsOfHead), 1 / agents);
  };

  return {
    options,
    parameters: [...embed.parameters, ...head.parameters],
    apply(views, independent, features, played) {
      const table = fromActions(views);
      const earlier = constant(
        table.dtype,
        [agents * actions, agents, 1],
        Array.from({ length: agents * actions * agents }, (_, k) =>
          Math.floor(k / agents / actions) < k % agents ? 1 : 0,
        ),
      );
      const onEveryone = mul(reshape(table, [agents * actions, 1, actions]), earlier);
      const count = sizeOf(played.shape) / (agents * actions);
      const told = gemm(
        reshape(played, [count, agents * actions]),
        reshape(onEveryone, [agents * actions, agents * actions]),
      );
      const correction = add(fromFeatures(views, features), reshape(told, independent.shape));
      return add(stopGradient(independent), correction);
    },
    draw(views, { logits, features, noise, available, epsilon }) {
      const dtype = logits.dtype as "float32" | "float64";
      const count = sizeOf(logits.shape) / (agents * actions);
      const byAgent = (a: Expr): readonly Expr[] =>
        split(reshape(a, [count, agents * actions]), new Array<number>(agents).fill(actions), 1);
      const alone = byAgent(add(logits, fromFeatures(views, features)));
      const noises = byAgent(noise);
      const masks = available === undefined ? [] : byAgent(available);
      const tables = split(fromActions(views), new Array<number>(agents).fill(actions), 0);
      const chosen: Expr[] = [];
      let told: Expr | undefined;
      for (let i = 0; i < agents; i++) {
        const present = told === undefined ? alone[i] : add(alone[i], told);
        const logProbabilities = policyLogProbabilities(present, { available: masks[i], epsilon });
        chosen.push(oneHot(drawActions(logProbabilities, noises[i], masks[i]), actions, dtype));
        const further = gemm(chosen[i], tables[i]);
        told = told === undefined ? further : add(told, further);
      }
      return stopGradient(reshape(concat(chosen, 1), logits.shape));
    },
  };
}
