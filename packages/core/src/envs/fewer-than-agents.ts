import type { z } from "zod";

/** Refinement of a config whose `k` counts some of its agents, but not all. */
export function fewerThanAgents(
  { agents, k }: { readonly agents: number; readonly k: number },
  { addIssue }: z.RefinementCtx,
): void {
  if (k < agents) return;
  addIssue({
    code: "custom",
    path: ["k"],
    message: `expected an integer at least 1 and below agents=${agents}`,
  });
}
