import { renameSync, writeFileSync } from "node:fs";
import { loadLearner } from "../../runs/index.ts";
import type { CommonOptions, Context } from "../context.ts";
import { grouped, printJson } from "../output.ts";
import { runResolver } from "../run-resolver.ts";

/** `corral export`: the policy of a run's newest checkpoint as an ONNX file. */
export async function exportPolicy(
  context: Context,
  directory: string,
  { out, json }: CommonOptions & { readonly out: string },
): Promise<void> {
  const { learner, steps } = await loadLearner(directory, await runResolver(context));
  try {
    const bytes = learner.exportPolicy();
    writeFileSync(`${out}.tmp`, bytes);
    renameSync(`${out}.tmp`, out);
    if (json) printJson({ file: out, bytes: bytes.length, steps });
    else console.log(`${out}: ${grouped(bytes.length)} bytes, the policy after ${grouped(steps)} steps`);
  } finally {
    await learner.dispose();
  }
}
