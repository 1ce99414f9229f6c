import {
  concat,
  type Expr,
  expand,
  filled,
  nn,
  oneHot,
  type Parameter,
  pad,
  range,
  relu,
  reshape,
  type Shape,
  slice,
  split,
  type Views,
} from "../tensor/index.ts";

export interface AgentTrunkOptions {
  /** `N`. */
  readonly agents: number;
  /** `O`. */
  readonly observationSize: number;
  /** `A`: the largest number of actions of an agent. */
  readonly actions: number;
  /** `H`: width of both layers. */
  readonly hidden: number;
  /** Whether the second layer is a gated recurrent unit that remembers the episode; else it is linear with ReLU. */
  readonly recurrent: boolean;
  /** Whether an agent is told its own last action, nothing at the beginning of an episode. */
  readonly lastAction: boolean;
  /** Whether an agent is told which one it is. */
  readonly agentId: boolean;
  /** Whether an agent observes what all agents do, which needs communication before every action; not by default. */
  readonly fullObs?: boolean;
}

/**
 * From what an agent has seen to features `[..., H]`, by a network that all agents share (PyMARL's agent without its
 * last layer): own observation, last action and identity → linear → ReLU → gated recurrent unit, or linear → ReLU.
 */
export interface AgentTrunk {
  readonly options: AgentTrunkOptions;
  readonly parameters: readonly Parameter[];
  /**
   * What agents remember between steps, as shapes behind the axis of environments: `hidden` `[N, H]` where the network
   * is recurrent, `lastAction` `[N, A]` (one-hot) where it is told that.
   */
  readonly memory: Readonly<Record<string, Shape>>;
  /**
   * Features at all moments of segments that begin with an episode, `[M, B, N, H]`; segments that begin elsewhere are
   * only for agents without memory.
   */
  overMoments(views: Views, segments: AgentMoments): Expr;
  /** Features at one step, `[B, N, H]`; they are the next `hidden` of a recurrent network. */
  step(views: Views, now: AgentStep): Expr;
}

/** What agents see and do over `M` moments, the last of which may come after the last step. */
export interface AgentMoments {
  /** `[M, B, N, O]` */
  readonly observations: Expr;
  /** int32 `[T, B, N]` */
  readonly actions: Expr;
}

/** What agents see now, and what they remember (`AgentTrunk.memory`). */
export interface AgentStep {
  /** `[B, N, O]` */
  readonly observations: Expr;
  /** `[B, N, H]` */
  readonly hidden?: Expr;
  /** `[B, N, A]` */
  readonly lastAction?: Expr;
}

/** Whether agents remember anything between steps, so that learning needs whole episodes. */
export const hasMemory = ({ recurrent, lastAction }: Pick<AgentTrunkOptions, "recurrent" | "lastAction">) =>
  recurrent || lastAction;

export function agentTrunk(name: string, options: AgentTrunkOptions): AgentTrunk {
  const { agents, observationSize, actions, hidden, recurrent, lastAction, agentId, fullObs } = options;
  const seen = fullObs ? agents * observationSize : observationSize;
  const inputs = seen + (lastAction ? actions : 0) + (agentId ? agents : 0);
  const first = nn.linear(`${name}/0`, inputs, hidden);
  const memoryCell = nn.gruCell(`${name}/1`, hidden, hidden);
  const second = nn.linear(`${name}/1`, hidden, hidden);

  /** First layer on `[K, B, N, O]` (and one-hot last actions `[K, B, N, A]`), `[K * B * N, H]`. */
  const firstLayer = (views: Views, observations: Expr, last: Expr | undefined): Expr => {
    const [moments, size] = observations.shape;
    const { dtype } = observations;
    const leading = [moments, size, agents];
    const whole = reshape(observations, [moments, size, 1, agents * observationSize]);
    const identity = reshape(oneHot(range("int32", agents), agents, dtype as "float32"), [
      1,
      1,
      agents,
      agents,
    ]);
    const input = concat(
      [
        fullObs ? expand(whole, [...leading, seen]) : observations,
        ...(last === undefined ? [] : [last]),
        ...(agentId ? [expand(identity, [...leading, agents])] : []),
      ],
      3,
    );
    return relu(first.apply(views, reshape(input, [moments * size * agents, inputs])));
  };

  return {
    options,
    parameters: [...first.parameters, ...(recurrent ? memoryCell : second).parameters],
    memory: {
      ...(recurrent ? { hidden: [agents, hidden] } : {}),
      ...(lastAction ? { lastAction: [agents, actions] } : {}),
    },
    overMoments(views, { observations, actions: played }) {
      const [moments, size] = observations.shape;
      const dtype = observations.dtype as "float32";
      const last = lastAction ? lastActions(played, moments, actions, dtype) : undefined;
      const x = firstLayer(views, observations, last);
      const leading = [moments, size, agents, hidden];
      if (!recurrent) return reshape(relu(second.apply(views, x)), leading);
      const rows = size * agents;
      let state = filled(dtype, [rows, hidden], 0);
      const states = split(x, new Array<number>(moments).fill(rows), 0).map((present) => {
        state = memoryCell.apply(views, present, state);
        return state;
      });
      return reshape(concat(states, 0), leading);
    },
    step(views, { observations, hidden: state, lastAction: last }) {
      const size = observations.shape[0];
      const rows = size * agents;
      const x = firstLayer(
        views,
        reshape(observations, [1, size, agents, observationSize]),
        last && reshape(last, [1, size, agents, actions]),
      );
      const next = recurrent
        ? memoryCell.apply(views, x, reshape(state!, [rows, hidden]))
        : relu(second.apply(views, x));
      return reshape(next, [size, agents, hidden]);
    },
  };
}

/** One-hot actions before each moment, zeros before the first: `[T, B, N] -> [M, B, N, A]`. */
function lastActions(played: Expr, moments: number, actions: number, dtype: "float32" | "float64"): Expr {
  if (moments === 1) return filled(dtype, [...played.shape, actions], 0);
  return pad(oneHot(slice(played, 0, 0, moments - 1), actions, dtype), 0, 1, 0);
}

/** A trunk with a linear head: what each action of each agent is worth, or its logit. */
export interface AgentNetwork {
  readonly trunk: AgentTrunk;
  /** `[..., H] -> [..., A]` */
  readonly head: nn.Module;
  readonly parameters: readonly Parameter[];
  /** Utilities `[M, B, N, A]` at all moments, and the features `[M, B, N, H]` that they are read from. */
  overMoments(views: Views, segments: AgentMoments): { readonly utilities: Expr; readonly features: Expr };
  /** Utilities `[B, N, A]` at one step, and the next memory by name, all but `lastAction`. */
  step(views: Views, now: AgentStep): { readonly utilities: Expr; readonly memory: Views };
}

/** The agent network of PyMARL and EPyMARL, shared by all agents, with PyTorch's default initialisation. */
export function agentNetwork(name: string, options: AgentTrunkOptions): AgentNetwork {
  const trunk = agentTrunk(name, options);
  const head = nn.linear(`${name}/head`, options.hidden, options.actions);
  return {
    trunk,
    head,
    parameters: [...trunk.parameters, ...head.parameters],
    overMoments(views, segments) {
      const features = trunk.overMoments(views, segments);
      return { utilities: head.apply(views, features), features };
    },
    step(views, now) {
      const features = trunk.step(views, now);
      const memory: Views = options.recurrent ? { hidden: features } : {};
      return { utilities: head.apply(views, features), memory };
    },
  };
}
