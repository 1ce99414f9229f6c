const blocks = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/**
 * A curve as one line of text, for a terminal.
 *
 * @param values in order; one that is not finite is drawn as a blank
 * @param options.width columns; more values than that are averaged in equal parts. Default: one column per value
 * @param options.low value of the lowest block; default the smallest column
 * @param options.high value of the highest block; default the largest column
 */
export function sparkline(
  values: ArrayLike<number>,
  options: { readonly width?: number; readonly low?: number; readonly high?: number } = {},
): string {
  const width = Math.min(options.width ?? values.length, values.length);
  const columns = Array.from({ length: width }, (_, column) => {
    const from = Math.floor((column * values.length) / width);
    const to = Math.floor(((column + 1) * values.length) / width);
    let total = 0;
    for (let i = from; i < to; i++) total += values[i];
    return total / (to - from);
  });
  const finite = columns.filter(Number.isFinite);
  const low = options.low ?? Math.min(...finite);
  const high = options.high ?? Math.max(...finite);
  return columns
    .map((value) => {
      if (!Number.isFinite(value)) return " ";
      // A flat curve has no range: draw it in the middle.
      const share = high > low ? (value - low) / (high - low) : 0.5;
      return blocks[Math.min(blocks.length - 1, Math.max(0, Math.floor(share * blocks.length)))];
    })
    .join("");
}
