import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

/** The checked-in module with the kernels compiled anew; `npm run kernels` rewrites it. */
test("the kernels are compiled from their sources", async () => {
  const { default: asc } = await import("assemblyscript/asc");
  let binary: Uint8Array | undefined;
  const kernels = fileURLToPath(new URL("../../kernels/", import.meta.url));
  const { error, stderr } = await asc.main(
    [
      "index.ts",
      ...["--baseDir", kernels],
      ...["--outFile", "kernels.wasm"],
      ...["-O3", "--noAssert", "--runtime", "stub", "--importMemory", "--enable", "simd"],
    ],
    {
      writeFile: (_, contents) => {
        binary = contents as Uint8Array;
      },
    },
  );
  expect(error ?? "", stderr.toString()).toBe("");
  const base64 = Buffer.from(binary ?? []).toString("base64");
  const lines = base64.match(/.{1,100}/g) ?? [];
  const source = [
    "/** WebAssembly compiled from `packages/core/kernels` by `npm run kernels`, in base 64. */",
    "export const kernelsBinary =",
    `${lines.map((line) => `  "${line}"`).join(" +\n")};`,
    "",
  ].join("\n");
  await expect(source).toMatchFileSnapshot("./kernels-binary.ts");
});
