/** Shares of each agent from its logits, which are `logits[begin[i] .. begin[i + 1] - 1]`; `out` may be `logits`. */
export function softmaxShares(begin: Int32Array, logits: Float64Array, out: Float64Array): void {
  for (let i = 0; i + 1 < begin.length; i++) {
    let largest = Number.NEGATIVE_INFINITY;
    for (let k = begin[i]; k < begin[i + 1]; k++) largest = Math.max(largest, logits[k]);
    let sum = 0;
    for (let k = begin[i]; k < begin[i + 1]; k++) {
      out[k] = Math.exp(logits[k] - largest);
      sum += out[k];
    }
    for (let k = begin[i]; k < begin[i + 1]; k++) out[k] /= sum;
  }
}
