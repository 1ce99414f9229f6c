/**
 * MACPF, multi-agent conditional policy factorisation (Wang et al. 2023).
 *
 * While they learn, agents act one after the other and each is told what those before it did: their policies can be any
 * joint policy. Beside each dependent policy an independent one learns, which reads the same features and is the one that
 * is tested, without communication. Logits of the dependent policy are those of the independent one plus a correction,
 * and so are the utilities of the one critic, which a monotonic network mixes.
 *
 * One update, on replayed segments, is four gradient steps: the independent policy down
 * `sum_a pi(a) (alpha log pi(a) - Q(a))`, then the dependent policy and its own utilities likewise, at actions of earlier
 * agents drawn from it; then the critic's independent and dependent utilities towards TD(lambda) targets at actions drawn
 * from the policy of the same kind. In games of one step the target is the reward.
 */
import { z } from "zod";
import {
  type Learnable,
  learnableWith,
  linearSchedule,
  type SegmentShape,
  type Segments,
  segmentInputs,
} from "../learn/index.ts";
import {
  type ActionDependency,
  type AgentNetwork,
  actionDependency,
  agentNetwork,
  drawActions,
  hasMemory,
  type Mixer,
  monotonicMixer,
  policyLogProbabilities,
} from "../models/index.ts";
import type { Rng } from "../random/index.ts";
import {
  compile,
  type Engine,
  type Expr,
  type InputSpec,
  loadEngine,
  mean,
  mul,
  oneHot,
  type Parameter,
  pick,
  square,
  sub,
  sum,
  unpack,
  type Variable,
  type Views,
  variable,
  weightedMean,
} from "../tensor/index.ts";
import {
  type Algorithm,
  actorPolicy,
  agentSettings,
  bootstraps,
  mixingSettings,
  type OffPolicyParts,
  type OffPolicyPlan,
  offPolicyLearner,
  offPolicySettings,
  optimiserOptions,
  softCriticSettings,
  softPolicyLoss,
  softTargets,
  temperatureSettings,
  trainMetrics,
  valuePresets,
  whileActing,
} from "../training/index.ts";

const configSchema = z.strictObject({
  ...offPolicySettings,
  ...agentSettings,
  ...softCriticSettings,
  ...temperatureSettings({ start: 0.001, end: 0.001 }),
  dependencyEmbedding: z
    .int()
    .min(1)
    .default(64)
    .describe("Width of what an agent is told of an earlier agent's action"),
  ...mixingSettings({ embedding: 64 }),
});

export type MacpfConfig = z.output<typeof configSchema>;

export const macpf: Algorithm<MacpfConfig> = {
  name: "macpf",
  description:
    "Policies that depend on earlier agents' actions while they learn, and independent ones for tests",
  source: "Wang et al. 2023",
  config: configSchema,
  presets: {
    published: {
      description: "the published code's settings, its entropy term too, for games of several steps",
      config: { codeEntropyTerm: true },
    },
    agpPaper: valuePresets.agpPaper,
    mpe: valuePresets.mpe,
    "mpe-fast": valuePresets["mpe-fast"],
    fast: {
      description:
        `${valuePresets.fast.description}; entropy weighs as much as in FOP, for with the little of the paper agents ` +
        "that stopped acting never try again",
      config: { ...valuePresets.fast.config, temperatureStart: 0.5, temperatureEnd: 0.05 },
    },
  },
  create: ({ config, ...context }) =>
    offPolicyLearner("macpf", context, config, hasMemory(config), (plan) =>
      macpfParts(plan, config, context.rng),
    ),
};

/**
 * Networks, gradient steps and policy.
 *
 * @throws InputError when the entropy behind the only step of a game is asked for
 */
export async function macpfParts(
  plan: OffPolicyPlan,
  config: MacpfConfig,
  rng: Rng,
): Promise<OffPolicyParts> {
  const engine = await loadEngine();
  const { actor, critic } = macpfNetworks(plan.shape, config, rng);
  const { update, dispose } = await macpfUpdate(engine, { actor, critic }, plan.segments, config);
  const { trunk, head } = actor.network;
  const policy = actorPolicy(engine, {
    name: "macpf",
    spec: plan.batch.spec,
    shape: plan.shape,
    network: actor,
    memory: trunk.memory,
    step(views, now) {
      const features = trunk.step(views, now);
      const logits = head.apply(views, features);
      const memory: Readonly<Record<string, Expr>> = config.recurrent ? { hidden: features } : {};
      return {
        logits,
        memory,
        draw({ noise, available, epsilon }) {
          // The policy is mixed with the uniform one, and then a random action replaces its own: mixed once more.
          const twice = sub(1, square(sub(1, epsilon)));
          return actor.dependency.draw(views, { logits, features, noise, available, epsilon: twice });
        },
      };
    },
  });
  return {
    createPolicy: policy.create,
    exportPolicy: policy.export,
    update,
    targets: [{ target: critic.target, online: critic.vector }],
    variables: [...Object.values(actor.variables), ...Object.values(critic.variables), critic.target],
    parameters: [actor, critic],
    facts: {
      engine: `${engine.name} ${engine.version}`,
      communication: "none in tests; to learn, each agent is told the actions of those before it",
    },
    dispose,
  };
}

// ── Networks ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** Independent logits or utilities, and what makes them depend on earlier agents' actions. */
interface FactorisedNetwork extends Learnable<string> {
  readonly network: AgentNetwork;
  readonly dependency: ActionDependency;
}

interface MacpfCritic extends FactorisedNetwork {
  readonly mixer: Mixer;
  /** The parameters that targets are computed with. */
  readonly target: Variable;
}

interface MacpfNetworks {
  readonly actor: FactorisedNetwork;
  readonly critic: MacpfCritic;
}

function macpfNetworks(shape: SegmentShape, config: MacpfConfig, rng: Rng): MacpfNetworks {
  const options = { ...shape, ...config };
  const mixer = monotonicMixer("critic/mixer", { ...options, activation: (a) => a });
  const factorised = (name: string, others: readonly Parameter[]): FactorisedNetwork => {
    const network = agentNetwork(name, options);
    const dependency = actionDependency(`${name}/dependency`, {
      ...options,
      embedding: config.dependencyEmbedding,
    });
    const parameters = [...network.parameters, ...dependency.parameters, ...others];
    return { ...learnableWith<string>(name, parameters, optimiserOptions(config), rng), network, dependency };
  };
  const critic = factorised("critic", mixer.parameters);
  const { vector } = critic;
  const target = variable("critic/target", "float32", vector.shape, vector.values as Float32Array);
  return { actor: factorised("actor", []), critic: { ...critic, mixer, target } };
}

// ── Update ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Steps of the independent and the dependent policy, then of the critic's independent and dependent utilities. */
async function macpfUpdate(
  engine: Engine,
  networks: MacpfNetworks,
  segments: Segments,
  config: MacpfConfig,
): Promise<Pick<OffPolicyParts, "update" | "dispose">> {
  const { temperatureStart, temperatureEnd, temperatureSteps } = config;
  const temperatureAt = linearSchedule(temperatureStart, temperatureEnd, temperatureSteps);
  const epsilonAt = linearSchedule(config.epsilonStart, config.epsilonEnd, config.epsilonSteps);
  const { steps } = segments.shape;
  const looksAhead = bootstraps("macpf", segments.shape, config);
  const epsilon = new Float32Array(1);
  const temperature = new Float32Array(1);
  const learningRate = new Float32Array(1);
  const newTargets = () => (looksAhead ? new Float32Array(segments.rewards.length) : segments.rewards);
  const targets = { independent: newTargets(), dependent: newTargets() };
  const inputs = {
    ...segmentInputs(segments),
    targets: { dtype: "float32", shape: [steps, segments.size], values: targets.independent },
    dependentTargets: { dtype: "float32", shape: [steps, segments.size], values: targets.dependent },
    epsilon: { dtype: "float32", shape: [], values: epsilon },
    temperature: { dtype: "float32", shape: [], values: temperature },
    learningRate: { dtype: "float32", shape: [], values: learningRate },
  } as const;

  const actorSteps = await compileActorSteps(engine, networks, inputs);
  const criticSteps = await compileCriticSteps(engine, networks.critic, inputs);
  const targetValues = looksAhead ? await compileTargetValues(engine, networks, inputs) : undefined;

  return {
    async update(now) {
      epsilon[0] = epsilonAt(now.steps);
      temperature[0] = temperatureAt(now.steps);
      learningRate[0] = now.learningRate;
      now.rng.fillGumbel(actorSteps.inputs.noise);
      await actorSteps.run();
      if (targetValues !== undefined) {
        now.rng.fillGumbel(targetValues.inputs.noise);
        now.rng.fillGumbel(targetValues.inputs.dependentNoise);
        await targetValues.run();
        const found = targetValues.results as Record<string, Float32Array>;
        const write = (values: Float32Array, logProbabilities: Float32Array, out: Float32Array) =>
          softTargets(segments, values, logProbabilities, temperature[0], config, out);
        write(found.values, found.logProbabilities, targets.independent);
        write(found.dependentValues, found.dependentLogProbabilities, targets.dependent);
      }
      await criticSteps.run();
      return {
        ...trainMetrics(actorSteps.results),
        ...trainMetrics(criticSteps.results),
        "train/temperature": temperature[0],
      };
    },
    async dispose() {
      await actorSteps.dispose();
      await criticSteps.dispose();
      await targetValues?.dispose();
    },
  };
}

type MacpfInputs = ReturnType<typeof segmentInputs> &
  Readonly<
    Record<
      "targets" | "dependentTargets" | "epsilon" | "temperature" | "learningRate",
      InputSpec & { readonly dtype: "float32" }
    >
  >;

/** Gumbel noise for every action at so many moments. */
const noiseInput = ({ observations }: MacpfInputs, { network }: FactorisedNetwork, moments: number) =>
  ({
    dtype: "float32",
    shape: [moments, ...observations.shape.slice(1, 3), network.trunk.options.actions],
  }) as const;

/** A step of the independent policy, then one of the dependent policy from where that led. */
function compileActorSteps(engine: Engine, { actor, critic }: MacpfNetworks, inputs: MacpfInputs) {
  const [steps] = inputs.actions.shape;
  return compile(engine, {
    name: "macpf: actor steps",
    inputs: { ...inputs, noise: noiseInput(inputs, actor, steps) },
    variables: { ...actor.variables, parameters: actor.vector, critic: critic.vector },
    build(leaves) {
      const { noise, epsilon, temperature, mask, learningRate } = leaves;
      const now = whileActing(leaves);
      const { available } = now;
      const conditions = { available, epsilon };
      const criticViews = unpack(leaves.critic, critic.layout);
      const { utilities, features } = critic.network.overMoments(criticViews, now);

      const before = unpack(leaves.parameters, actor.layout);
      const alone = softPolicyLoss(
        policyLogProbabilities(actor.network.overMoments(before, now).utilities, conditions),
        utilities,
        temperature,
        mask,
      );
      const first = actor.step(alone.loss, before, leaves, learningRate);

      const between = unpack(first.updates.parameters, actor.layout);
      const own = actor.network.overMoments(between, now);
      const decision = { logits: own.utilities, features: own.features, noise, ...conditions };
      const drawn = actor.dependency.draw(between, decision);
      const logits = actor.dependency.apply(between, own.utilities, own.features, drawn);
      const together = softPolicyLoss(
        policyLogProbabilities(logits, conditions),
        critic.dependency.apply(criticViews, utilities, features, drawn),
        temperature,
        mask,
      );
      const second = actor.step(together.loss, between, first.updates, learningRate);
      return {
        results: {
          "policy-loss": alone.loss,
          entropy: alone.entropy,
          "actor-gradient-norm": first.gradientNorm,
          "dependent-policy-loss": together.loss,
          "dependent-entropy": together.entropy,
          "dependent-actor-gradient-norm": second.gradientNorm,
        },
        updates: second.updates,
      };
    },
    finite: ["policy-loss", "actor-gradient-norm", "dependent-policy-loss", "dependent-actor-gradient-norm"],
  });
}

/**
 * What moments are worth by the target critic at actions drawn from the independent and from the dependent policy, and
 * the mean over agents of these actions' log-probabilities: `[M, B]` each.
 */
function compileTargetValues(engine: Engine, { actor, critic }: MacpfNetworks, inputs: MacpfInputs) {
  const noise = noiseInput(inputs, actor, inputs.observations.shape[0]);
  return compile(engine, {
    name: "macpf: targets",
    inputs: { ...inputs, noise, dependentNoise: noise },
    variables: { actor: actor.vector, critic: critic.target },
    build(leaves) {
      const { states, epsilon, available } = leaves;
      const actorViews = unpack(leaves.actor, actor.layout);
      const criticViews = unpack(leaves.critic, critic.layout);
      const own = actor.network.overMoments(actorViews, leaves);
      const { utilities, features } = critic.network.overMoments(criticViews, leaves);
      const conditions = { available, epsilon };
      const results = (logits: Expr, values: Expr, actions: Expr) => {
        const ofActions = (a: Expr): Expr => sum(mul(a, actions), [3]);
        return {
          values: critic.mixer.apply(criticViews, ofActions(values), states),
          logProbabilities: mean(ofActions(policyLogProbabilities(logits, conditions)), [2]),
        };
      };

      const logProbabilities = policyLogProbabilities(own.utilities, conditions);
      const drawn = drawActions(logProbabilities, leaves.noise, available);
      const { actions } = actor.network.trunk.options;
      const alone = results(own.utilities, utilities, oneHot(drawn, actions, "float32"));

      const decision = { logits: own.utilities, features: own.features, noise: leaves.dependentNoise };
      const drawnInTurn = actor.dependency.draw(actorViews, { ...decision, ...conditions });
      const together = results(
        actor.dependency.apply(actorViews, own.utilities, own.features, drawnInTurn),
        critic.dependency.apply(criticViews, utilities, features, drawnInTurn),
        drawnInTurn,
      );
      return {
        results: {
          ...alone,
          dependentValues: together.values,
          dependentLogProbabilities: together.logProbabilities,
        },
      };
    },
  });
}

/** A step of the independent utilities, then one of the dependent ones from where that led. */
function compileCriticSteps(engine: Engine, critic: MacpfCritic, inputs: MacpfInputs) {
  return compile(engine, {
    name: "macpf: critic steps",
    inputs,
    variables: { ...critic.variables, parameters: critic.vector },
    build(leaves) {
      const { actions, mask, learningRate } = leaves;
      const now = whileActing(leaves);
      const compared = (views: Views, utilities: Expr, targets: Expr) => {
        const total = critic.mixer.apply(views, pick(utilities, actions), now.states);
        const played = (a: Expr): Expr => weightedMean(a, mask);
        return { loss: played(square(sub(total, targets))), value: played(total), target: played(targets) };
      };

      const before = unpack(leaves.parameters, critic.layout);
      const alone = compared(before, critic.network.overMoments(before, now).utilities, leaves.targets);
      const first = critic.step(alone.loss, before, leaves, learningRate);

      const between = unpack(first.updates.parameters, critic.layout);
      const { utilities, features } = critic.network.overMoments(between, now);
      const played = oneHot(actions, critic.network.trunk.options.actions, "float32");
      const dependent = critic.dependency.apply(between, utilities, features, played);
      const together = compared(between, dependent, leaves.dependentTargets);
      const second = critic.step(together.loss, between, first.updates, learningRate);
      return {
        results: {
          "value-loss": alone.loss,
          value: alone.value,
          target: alone.target,
          "critic-gradient-norm": first.gradientNorm,
          "dependent-value-loss": together.loss,
          "dependent-value": together.value,
          "dependent-target": together.target,
          "dependent-critic-gradient-norm": second.gradientNorm,
        },
        updates: second.updates,
      };
    },
    finite: ["value-loss", "critic-gradient-norm", "dependent-value-loss", "dependent-critic-gradient-norm"],
  });
}
