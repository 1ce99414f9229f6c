/**
 * The loops of exact evaluation, compiled to WebAssembly by AssemblyScript: arithmetic two numbers at a time, and the same bits
 * on every machine.
 *
 * Addresses, widths and strides are in bytes. Each block of numbers begins at a multiple of 16 and has room for four
 * numbers more, so that loops over pairs may run over the end of a row.
 *
 * Engines move what stays the same in a loop into it, unless it was loaded from memory. So that is what is done before a loop.
 */
export { accumulateLevels, gather, multiplyLevels } from "./action-tree";
export { addReward, averageReward, weightAdvantages } from "./evaluation";
export { solveSystem } from "./linear-system";
export { addBarrier, addScaled, areFinite, projectRows, softmaxRows } from "./softmax";
export { averageTable, expectTable, replaceDigits } from "./transition";

/** The first address that is free. */
export const firstFree: usize = __heap_base;
