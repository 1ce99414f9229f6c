import { join } from "node:path";
import { InputError } from "corral/errors";
import { loadLearner, makeDirectory, writeFileAtomic } from "../../runs/index.ts";
import type { CommonOptions, Context } from "../context.ts";
import { grouped, printJson } from "../output.ts";
import { runResolver } from "../run-resolver.ts";

interface ExportOptions extends CommonOptions {
  readonly out: string;
  readonly perAgent?: string;
}

/** `corral export`: the policy of a run's newest checkpoint as an ONNX file, or as one for each agent. */
export async function exportPolicy(
  context: Context,
  directory: string,
  { out, perAgent, json }: ExportOptions,
): Promise<void> {
  const { learner, run, steps } = await loadLearner(directory, await runResolver(context));
  try {
    if (perAgent === undefined) {
      const bytes = learner.exportPolicy();
      writeFileAtomic(out, bytes);
      if (json) printJson({ file: out, bytes: bytes.length, steps });
      else console.log(`${out}: ${grouped(bytes.length)} bytes, the policy after ${grouped(steps)} steps`);
      return;
    }
    await learner.assertIndependent?.();
    const policies = learner.exportPolicies?.();
    if (policies === undefined) {
      throw new InputError(
        `${directory} was trained by ${run.spec.algorithm}, whose agents have no networks of their own; expected a run of mastac, mastac-pg, maddpg, matd3 or mappo, or no --per-agent`,
      );
    }
    makeDirectory(perAgent);
    const files = Object.entries(policies).map(([agent, bytes]) => {
      const file = join(perAgent, `${agent}.onnx`);
      writeFileAtomic(file, bytes);
      return { file, bytes: bytes.length };
    });
    if (json) printJson({ files, steps });
    else {
      const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
      console.log(
        `${perAgent}: ${files.length} files, ${grouped(total)} bytes, the policy of each agent after ${grouped(steps)} steps`,
      );
    }
  } finally {
    await learner.dispose();
  }
}
