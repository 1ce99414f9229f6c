// Speaks the peers' protocol without PyTorch or NumPy. An argument picks a way to misbehave.
import { createInterface } from "node:readline";

const mode = process.argv[2];
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

if (mode === "no-torch") {
  process.stderr.write("Traceback (most recent call last):\nModuleNotFoundError: No module named 'torch'\n");
  process.exit(1);
}
const threads = Number(process.env.OPENBLAS_NUM_THREADS) * Number(process.env.OMP_NUM_THREADS);
say({
  ready: true,
  torch: "0.0",
  numpy: "0.1",
  threads,
  blas: mode === "reference" ? "reference" : "openblas",
});
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  if (request.workload === "crash") {
    process.stderr.write("RuntimeError: out of memory\n");
    process.exit(1);
  }
  // The time tells what was asked, so that a test can see it: twice the batch, less when parameters are flat.
  const milliseconds =
    (request.batch ?? request.starts ?? 1) * (request.parameters === "flat" || request.distinct ? 1 : 2);
  say(request.workload === "unknown" ? { error: "unknown workload" } : { ...request, milliseconds });
}
