/** Programs of static sizes, compiled on first use and kept. */
export interface SizedPrograms<P> {
  for(...sizes: readonly number[]): Promise<P>;
  dispose(): Promise<void>;
}

/** Compiles `make(...sizes)` once for each combination of sizes. */
export function sizedPrograms<P extends { dispose(): Promise<void> }>(
  make: (...sizes: number[]) => Promise<P>,
): SizedPrograms<P> {
  const programs = new Map<string, Promise<P>>();
  return {
    for(...sizes) {
      const key = sizes.join(" ");
      const known = programs.get(key);
      if (known !== undefined) return known;
      const made = make(...sizes);
      programs.set(key, made);
      // A failure is for the caller to see; the next call tries again.
      made.catch(() => programs.delete(key));
      return made;
    },
    async dispose() {
      for (const program of programs.values()) await (await program).dispose();
      programs.clear();
    },
  };
}
