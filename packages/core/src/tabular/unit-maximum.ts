/** Share of an interval that each golden section keeps. */
const SECTION = (Math.sqrt(5) - 1) / 2;

/**
 * Where a continuous function on [0, 1] is largest: the best of `cells + 1` places at equal distances, then golden sections
 * between its neighbours. Of places that differ by rounding the smallest.
 */
export function unitMaximum(value: (x: number) => number, cells: number): number {
  let at = 0;
  let most = value(0);
  for (let cell = 1; cell <= cells; cell++) {
    const here = value(cell / cells);
    if (here > most + 1e-14) {
      at = cell;
      most = here;
    }
  }
  let low = Math.max(0, at - 1) / cells;
  let high = Math.min(cells, at + 1) / cells;
  while (high - low > 1e-10) {
    const left = high - SECTION * (high - low);
    const right = low + SECTION * (high - low);
    if (value(left) < value(right)) low = left;
    else high = right;
  }
  const inside = (low + high) / 2;
  // At an end of [0, 1], and where the largest value lies on the grid, sections only come close.
  return value(inside) > most + 1e-14 ? inside : at / cells;
}
