import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InputError } from "corral/errors";
import { expect, test, vi } from "vitest";
import { reportError } from "./report-error.ts";

function report(error: unknown, debug = false): { code: number; text: string } {
  let text = "";
  const write = vi.spyOn(process.stderr, "write").mockImplementation((chunk) => {
    text += chunk;
    return true;
  });
  try {
    return { code: reportError(error, debug), text };
  } finally {
    write.mockRestore();
  }
}

test("an error is one line and a code", () => {
  expect(report(new InputError("clip: expected a number\n  above 0"))).toEqual({
    code: 2,
    text: "corral: clip: expected a number above 0\n",
  });
  expect(report(new TypeError("x is not a function"))).toEqual({
    code: 70,
    text: "corral: unexpected error: x is not a function (--debug shows where)\n",
  });
  expect(report(new InputError("wrong"), true).text).toContain("report-error.test.ts");
});

test("what the disk refuses is the user's to mend", () => {
  const folder = mkdtempSync(join(tmpdir(), "corral-"));
  try {
    let refused: unknown;
    try {
      writeFileSync(folder, "");
    } catch (error) {
      refused = error;
    }
    expect(report(refused)).toMatchObject({ code: 2, text: expect.stringMatching(/^corral: EISDIR: .*\n$/) });
  } finally {
    rmSync(folder, { recursive: true });
  }
  // A full disk, as Node reports it.
  const full = Object.assign(new Error("ENOSPC: no space left on device, write"), {
    code: "ENOSPC",
    syscall: "write",
  });
  expect(report(full)).toEqual({ code: 2, text: "corral: ENOSPC: no space left on device, write\n" });
});
