import { InputError } from "corral/errors";
import { describe, expect, test } from "vitest";
import { startPeer } from "./peer.ts";
import { fakePeer } from "./testing/fake-peer.ts";

describe("a peer", () => {
  test("says what it runs on and answers in turn, on one thread", async () => {
    const peer = await startPeer("engine.py", fakePeer());
    expect(peer).toMatchObject({ library: "pytorch", version: "0.0", blas: "openblas" });
    const times = [
      await peer.time({ workload: "ppo-mlp", batch: 32 }),
      await peer.time({ workload: "ppo-mlp", batch: 32, parameters: "flat" }),
    ];
    expect(times).toEqual([64, 32]);
    await peer.close();
  });

  test("passes a refusal on and goes on", async () => {
    const peer = await startPeer("engine.py", fakePeer());
    await expect(peer.time({ workload: "unknown" })).rejects.toThrow("engine.py: unknown workload");
    expect(await peer.time({ workload: "agp", batch: 3 })).toBe(6);
    await peer.close();
  });

  test("that dies is reported with its last words", async () => {
    const peer = await startPeer("engine.py", fakePeer());
    await expect(peer.time({ workload: "crash" })).rejects.toThrow(
      "engine.py ended: RuntimeError: out of memory",
    );
    await expect(peer.time({ workload: "agp" })).rejects.toThrow("engine.py ended");
    await peer.close();
  });

  test("without PyTorch names the packages", async () => {
    const error = await startPeer("engine.py", fakePeer("no-torch")).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(InputError);
    expect((error as Error).message).toMatch(
      /^pytorch: .* has no torch: install .*python3-torch.*CORRAL_PYTHON$/,
    );
  });

  test("in NumPy needs no PyTorch, and names its own packages", async () => {
    const peer = await startPeer("tabular.py", fakePeer());
    expect(peer).toMatchObject({ library: "numpy", version: "0.1", blas: "openblas" });
    await peer.close();
    await expect(startPeer("tabular.py", { command: ["/no/such/python"] })).rejects.toThrow(
      /^numpy: cannot run .* install Debian's packages python3-numpy .* name a Python with numpy in CORRAL_PYTHON$/,
    );
  });

  test("on the reference BLAS is refused", async () => {
    const error = await startPeer("engine.py", fakePeer("reference")).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(InputError);
    expect((error as Error).message).toContain("install libopenblas0-pthread");
  });

  test("whose interpreter does not exist names the packages", async () => {
    const error = await startPeer("engine.py", { command: ["/no/such/python"] }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(InputError);
    expect((error as Error).message).toMatch(/cannot run \/no\/such\/python .*python3-torch/);
  });
});
