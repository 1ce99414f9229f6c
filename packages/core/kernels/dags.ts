/** What learned DAGs need and programs are slow at, compiled to WebAssembly by AssemblyScript. */
export { gumbel, logistic } from "./noise";
export { scoreGradients } from "./sinkhorn";

/** The first address that is free. */
export const firstFree: usize = __heap_base;
