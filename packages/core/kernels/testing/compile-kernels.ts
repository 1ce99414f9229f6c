import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

/**
 * Compiles kernels with all that their entry imports.
 *
 * @param entry a file of `packages/core/kernels`
 * @returns the text of a module that exports the compiled binary in base 64 by the name `constant`
 * @throws Error with what the compiler printed, if it refuses
 */
export async function compileKernels(entry: string, constant: string): Promise<string> {
  let binary: Uint8Array | undefined;
  const { error, stderr } = await asc.main(
    [
      entry,
      ...["--baseDir", fileURLToPath(new URL("../", import.meta.url))],
      ...["--outFile", "kernels.wasm"],
      ...["-O3", "--noAssert", "--runtime", "stub", "--importMemory", "--enable", "simd"],
    ],
    {
      writeFile: (_, contents) => {
        binary = contents as Uint8Array;
      },
    },
  );
  if (error !== null || binary === undefined) throw new Error(stderr.toString(), { cause: error });
  const lines = Buffer.from(binary)
    .toString("base64")
    .match(/.{1,100}/g)!;
  return [
    `/** WebAssembly compiled from \`packages/core/kernels/${entry}\` by \`npm run kernels\`, in base 64. */`,
    `export const ${constant} =`,
    `${lines.map((line) => `  "${line}"`).join(" +\n")};`,
    "",
  ].join("\n");
}
