/**
 * Network modules. A module is data: the parameters it needs and a function that applies it to expressions, given
 * all parameters by name. Modules compose by calling each other.
 */
import { type Expr, type Shape, ShapeError, sameShape, showShape, sizeOf } from "./expr.ts";
import { rows } from "./functions.ts";
import {
  add,
  expand,
  gemm,
  layerNorm,
  matMul,
  mul,
  normalisedProduct,
  relu,
  reshape,
  sigmoid,
  slice,
  softmax,
  split,
  sub,
  tanh,
  transpose,
  where,
} from "./ops.ts";
import {
  type Initialiser,
  ones,
  orthogonal,
  type Parameter,
  uniformFanIn,
  type Views,
  xavier,
  zeros,
} from "./params.ts";

/**
 * Parameters, and what to compute with them. `apply` finds its own parameters by name in `views`, so a module can be
 * applied several times, and to the parameters of a target network.
 */
export interface Module<Inputs extends readonly unknown[] = [Expr]> {
  readonly parameters: readonly Parameter[];
  apply(views: Views, ...inputs: Inputs): Expr;
}

/** A linear layer. */
export interface Linear extends Module {
  /** The layer applied to what a layer normalisation makes of `x`: the same as one after the other, in less time. */
  applyNormalised(views: Views, x: Expr, normalisation: LayerNormalisation): Expr;
}

/** A layer normalisation. */
export interface LayerNormalisation extends Module {
  /**
   * Its output for `x` times weights, plus a bias: `[m, width] x [width, n] + [n] -> [m, n]`, or
   * `[G, m, width] x [G, width, n] + [n] -> [G, m, n]`. Its own scale and bias go into the weights, which are smaller.
   */
  product(views: Views, x: Expr, weights: Expr, bias?: Expr): Expr;
}

/** An elementwise function between layers. */
export type Activation = (a: Expr) => Expr;

export interface LinearOptions {
  /** Whether to add a bias; true by default. */
  readonly bias?: boolean;
  readonly weights?: Initialiser;
  readonly biases?: Initialiser;
}

/** `x W + b`, `[..., inputs] -> [..., outputs]`; PyTorch's default initialisation unless told otherwise. */
export function linear(name: string, inputs: number, outputs: number, options: LinearOptions = {}): Linear {
  const { bias = true, weights = uniformFanIn(), biases = uniformFanIn(inputs) } = options;
  const w: Parameter = { name: `${name}/w`, shape: [inputs, outputs], initialise: weights };
  const b: Parameter = { name: `${name}/b`, shape: [outputs], initialise: biases };
  return {
    parameters: bias ? [w, b] : [w],
    apply(views, x) {
      if (x.shape[x.shape.length - 1] !== inputs) {
        throw new ShapeError(name, `takes ${inputs} features, got ${showShape(x.shape)}`);
      }
      const y = gemm(rows(x), views[w.name], bias ? views[b.name] : undefined);
      return reshape(y, [...x.shape.slice(0, -1), outputs]);
    },
    applyNormalised(views, x, normalisation) {
      const y = normalisation.product(views, rows(x), views[w.name], bias ? views[b.name] : undefined);
      return reshape(y, [...x.shape.slice(0, -1), outputs]);
    },
  };
}

/** Linear layer with orthogonal weights and zero bias, as the on-policy methods use. */
export const orthogonalLinear = (name: string, inputs: number, outputs: number, gain: number): Linear =>
  linear(name, inputs, outputs, { weights: orthogonal(gain), biases: zeros });

/** Layer normalisation of the last axis, `[..., width] -> [..., width]`. */
export function layerNormalisation(name: string, width: number, epsilon = 1e-5): LayerNormalisation {
  const scale: Parameter = { name: `${name}/scale`, shape: [width], initialise: ones };
  const bias: Parameter = { name: `${name}/bias`, shape: [width], initialise: zeros };
  return {
    parameters: [scale, bias],
    apply: (views, x) => layerNorm(x, views[scale.name], views[bias.name], epsilon),
    product(views, x, weights, added) {
      const scaled = mul(weights, reshape(views[scale.name], [width, 1]));
      const own = matMul(reshape(views[bias.name], [1, width]), weights);
      const shift = added === undefined ? own : add(own, added);
      if (x.shape.length > 2) return add(normalisedProduct(x, scaled, undefined, epsilon), shift);
      return normalisedProduct(x, scaled, reshape(shift, weights.shape.slice(-1)), epsilon);
    },
  };
}

/**
 * Modules one after the other, with plain functions between them. A layer normalisation and a linear layer straight after
 * it are applied as one, which changes nothing but the time.
 */
export function sequence(...steps: readonly (Module | Activation)[]): Module {
  return {
    parameters: steps.flatMap((step) => (typeof step === "function" ? [] : step.parameters)),
    apply(views, x) {
      let value = x;
      for (let k = 0; k < steps.length; k++) {
        const [step, next] = [steps[k], steps[k + 1]];
        if (typeof step === "function") value = step(value);
        else if ("product" in step && next !== undefined && "applyNormalised" in next) {
          value = (next as Linear).applyNormalised(views, value, step as LayerNormalisation);
          k++;
        } else value = step.apply(views, value);
      }
      return value;
    },
  };
}

export interface MlpOptions {
  /** Widths of the layers between input and output. */
  readonly hidden: readonly number[];
  /** `relu` by default. */
  readonly activation?: Activation;
  /** Makes each layer, `linear` by default; `last` tells the output layer. */
  readonly linear?: (name: string, inputs: number, outputs: number, last: boolean) => Module;
}

/** `[..., inputs] -> [..., outputs]`: linear layers `name/0`, `name/1`, ... with an activation between them, none after the last. */
export function mlp(name: string, inputs: number, outputs: number, options: MlpOptions): Module {
  const { hidden, activation = relu } = options;
  const layer = options.linear ?? ((name, inputs, outputs) => linear(name, inputs, outputs));
  const widths = [inputs, ...hidden, outputs];
  const steps: (Module | Activation)[] = [];
  for (let k = 0; k + 1 < widths.length; k++) {
    const last = k + 2 === widths.length;
    steps.push(layer(`${name}/${k}`, widths[k], widths[k + 1], last));
    if (!last) steps.push(activation);
  }
  return sequence(...steps);
}

/** What self-attention computes with. */
export interface SelfAttention extends Module<[x: Expr, mask?: Expr]> {
  /** The attention weights, `[...batch, heads, V, V]`: rows are the nodes that attend. */
  weights(views: Views, x: Expr, mask?: Expr): Expr;
}

/**
 * Multi-head self-attention (Vaswani et al. 2017) among `V` nodes: `[V, ...batch, d] -> [V, ...batch, d]`, with one fused
 * projection to queries, keys and values. `mask` `[V, V]`, or `[...batch, V, V]` or `[...batch, 1, V]`, bool: false forbids
 * row's attention to column; a row that may attend to nothing attends to all equally.
 *
 * Nodes come first because the runtime can then read queries, keys and values of every head in place.
 *
 * @param options for both linear maps; by default Glorot's weights and no bias at first
 * @throws ShapeError when `heads` does not divide `width`
 */
export function selfAttention(
  name: string,
  width: number,
  heads: number,
  options: LinearOptions = { weights: xavier(), biases: zeros },
): SelfAttention {
  if (width % heads !== 0) throw new ShapeError(name, `${heads} heads do not divide a width of ${width}`);
  const depth = width / heads;
  const projection = linear(`${name}/qkv`, width, 3 * width, options);
  const output = linear(`${name}/out`, width, width, options);

  /** Weights and values of every head of every batch entry, `[K * heads, V, V]` and `[K * heads, V, depth]`. */
  const attend = (views: Views, x: Expr, mask?: Expr): { weights: Expr; values: Expr } => {
    if (x.shape.length < 2 || x.shape[x.shape.length - 1] !== width) {
      throw new ShapeError(name, `takes [V, ..., ${width}], got ${showShape(x.shape)}`);
    }
    const [nodes, ...batch] = x.shape.slice(0, -1);
    const entries = sizeOf(batch);
    const allowed = mask && maskOfHeads(name, mask, nodes, batch);
    const [queries, keys, values] = split(projection.apply(views, rows(x)), [width, width, width], 1).map(
      (part) => transpose(reshape(part, [nodes, entries * heads, depth]), [1, 0, 2]),
    );
    const scores = mul(matMul(queries, transpose(keys, [0, 2, 1])), 1 / Math.sqrt(depth));
    if (allowed === undefined) return { weights: softmax(scores), values };
    const masked = where(allowed, reshape(scores, [entries, heads, nodes, nodes]), -1e10);
    return { weights: reshape(softmax(masked), scores.shape), values };
  };
  return {
    parameters: [...projection.parameters, ...output.parameters],
    weights(views, x, mask) {
      const [nodes, ...batch] = x.shape.slice(0, -1);
      return reshape(attend(views, x, mask).weights, [...batch, heads, nodes, nodes]);
    },
    apply(views, x, mask) {
      const { weights, values } = attend(views, x, mask);
      const mixed = transpose(matMul(weights, values), [1, 0, 2]);
      return output.apply(views, reshape(mixed, x.shape));
    },
  };
}

/** A mask as `[1 or K, 1, V, V]`; the runtime is an order of magnitude slower at repeating short rows within a choice. */
function maskOfHeads(name: string, mask: Expr, nodes: number, batch: Shape): Expr {
  const [from, to] = mask.shape.slice(-2);
  const own = mask.shape.slice(0, -2);
  const fits = own.length === 0 ? from === nodes : sameShape(own, batch) && (from === nodes || from === 1);
  if (!fits || to !== nodes) {
    const [each, shared] = [showShape([...batch, nodes, nodes]), showShape([nodes, nodes])];
    throw new ShapeError(name, `takes a mask ${shared} or ${each}, got ${showShape(mask.shape)}`);
  }
  return reshape(expand(mask, [...own, nodes, nodes]), [sizeOf(own), 1, nodes, nodes]);
}

/**
 * Gated recurrent unit (Cho et al. 2014), in the form of PyTorch's GRUCell: from input `[B, inputs]` and hidden state
 * `[B, hidden]` to the next hidden state.
 */
export function gruCell(name: string, inputs: number, hidden: number): Module<[x: Expr, h: Expr]> {
  const initial = uniformFanIn(hidden);
  const options = { weights: initial, biases: initial };
  const fromInput = linear(`${name}/input`, inputs, 3 * hidden, options);
  const fromHidden = linear(`${name}/hidden`, hidden, 3 * hidden, options);
  return {
    parameters: [...fromInput.parameters, ...fromHidden.parameters],
    apply(views, x, h) {
      const a = fromInput.apply(views, x);
      const b = fromHidden.apply(views, h);
      const gates = sigmoid(add(slice(a, 1, 0, 2 * hidden), slice(b, 1, 0, 2 * hidden)));
      const reset = slice(gates, 1, 0, hidden);
      const keep = slice(gates, 1, hidden, 2 * hidden);
      const candidate = tanh(
        add(slice(a, 1, 2 * hidden, 3 * hidden), mul(reset, slice(b, 1, 2 * hidden, 3 * hidden))),
      );
      return add(candidate, mul(keep, sub(h, candidate)));
    },
  };
}

/** Numbers in all parameters together. */
export const parameterCount = (parameters: readonly Parameter[]): number =>
  parameters.reduce((total, { shape }: { shape: Shape }) => total + sizeOf(shape), 0);
