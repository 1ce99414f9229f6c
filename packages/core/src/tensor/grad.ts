import { type Expr, isFloat, ShapeError, showShape, sizeOf } from "./expr.ts";
import { add, filled, isItem } from "./ops.ts";

/** Inputs before the nodes that use them; each node once. */
export function topologicalOrder(outputs: readonly Expr[]): readonly Expr[] {
  const order: Expr[] = [];
  const seen = new Set<Expr>();
  const stack: { readonly node: Expr; next: number }[] = [];
  for (const output of outputs) {
    if (seen.has(output)) continue;
    seen.add(output);
    stack.push({ node: output, next: 0 });
    while (stack.length > 0) {
      const top = stack[stack.length - 1];
      if (top.next === top.node.inputs.length) {
        order.push(top.node);
        stack.pop();
      } else {
        const child = top.node.inputs[top.next++];
        if (!seen.has(child)) {
          seen.add(child);
          stack.push({ node: child, next: 0 });
        }
      }
    }
  }
  return order;
}

/**
 * Gradient of a scalar with respect to each of `wrt`, by reverse mode: symbolic expressions of the same shapes,
 * zeros where the loss does not depend on them. `wrt` may be any nodes; they are treated as independent variables.
 *
 * @throws ShapeError when `loss` is not a single float
 */
export function gradients(loss: Expr, wrt: readonly Expr[]): readonly Expr[] {
  if (sizeOf(loss.shape) !== 1 || !isFloat(loss.dtype)) {
    throw new ShapeError(
      "gradients",
      `the loss must be a float scalar, got ${loss.dtype} ${showShape(loss.shape)}`,
    );
  }
  const order = topologicalOrder([loss]);
  const targets = new Set(wrt);
  const relevant = new Set<Expr>();
  for (const node of order) {
    if (targets.has(node) || node.inputs.some((child) => relevant.has(child))) relevant.add(node);
  }

  const upstream = new Map<Expr, (Expr | undefined)[]>();
  const accumulate = (node: Expr, result: number, gradient: Expr): void => {
    const slots = upstream.get(node) ?? [];
    slots[result] = slots[result] === undefined ? gradient : add(slots[result], gradient);
    upstream.set(node, slots);
  };
  accumulate(loss, 0, filled(loss.dtype, loss.shape, 1));

  for (let k = order.length - 1; k >= 0; k--) {
    const node = order[k];
    const incoming = upstream.get(node);
    if (incoming === undefined || targets.has(node) || !relevant.has(node)) continue;
    if (isItem(node)) {
      accumulate(node.inputs[0], node.attributes.index as number, incoming[0]!);
      continue;
    }
    const outgoing = node.op.vjp?.(node, incoming) ?? [];
    for (const [position, child] of node.inputs.entries()) {
      const gradient = outgoing[position];
      if (gradient !== undefined && relevant.has(child)) accumulate(child, 0, gradient);
    }
  }
  return wrt.map((node) => upstream.get(node)?.[0] ?? filled(node.dtype, node.shape, 0));
}
