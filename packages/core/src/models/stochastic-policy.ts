/** Categorical policies with unavailable actions and random exploration, as programs that learn from them read them. */
import {
  add,
  argMax,
  div,
  type Expr,
  equal,
  log,
  logSoftmax,
  logSumExp,
  maskLogits,
  maximum,
  mul,
  type Operand,
  softmax,
  sub,
  sum,
  where,
} from "../tensor/index.ts";

/** What an action that cannot be played counts as, so that its logarithm is finite. */
const NEXT_TO_NOTHING = 1e-10;

export interface PolicyConditions {
  /** 1 for actions that may be played, `[..., A]`; every action when left out. */
  readonly available?: Expr;
  /** Share of the uniform distribution over available actions in the mixture, a scalar; 0 when left out. */
  readonly epsilon?: Expr;
}

/**
 * Log-probabilities of a policy with these logits, `[..., A]`: the softmax over available actions, mixed with their
 * uniform distribution by `epsilon`. Unavailable actions have probability 1e-10, and with a mixture none has less.
 */
export function policyLogProbabilities(logits: Expr, { available, epsilon }: PolicyConditions): Expr {
  const allowed = available === undefined ? logits : maskLogits(logits, available);
  let logProbabilities: Expr;
  if (epsilon === undefined) logProbabilities = logSoftmax(allowed);
  else {
    const uniform: Operand =
      available === undefined
        ? 1 / logits.shape[logits.shape.length - 1]
        : div(available, maximum(sum(available, [-1], true), 1));
    const mixture = add(mul(softmax(allowed), sub(1, epsilon)), mul(epsilon, uniform));
    logProbabilities = log(maximum(mixture, NEXT_TO_NOTHING));
  }
  return available === undefined
    ? logProbabilities
    : where(equal(available, 1), logProbabilities, Math.log(NEXT_TO_NOTHING));
}

/**
 * Actions drawn with these log-probabilities `[..., A]`, int64 `[...]`.
 *
 * @param noise standard Gumbel, zeros for the most likely actions, `[..., A]`
 * @param available 1 for actions that may be played, `[..., A]`
 */
export function drawActions(logProbabilities: Expr, noise: Expr, available: Expr | undefined): Expr {
  const noisy = add(logProbabilities, noise);
  return argMax(available === undefined ? noisy : maskLogits(noisy, available), -1);
}

/** What playing by the softmax of `Q / temperature` is worth, entropy included: `[..., A] -> [...]`. */
export const softValue = (utilities: Expr, temperature: Expr): Expr =>
  mul(logSumExp(div(utilities, temperature), -1), temperature);
