import { expect, test } from "vitest";
import { sizedPrograms } from "./sized-programs.ts";

test("each combination of sizes is made once, and all are disposed of", async () => {
  const events: string[] = [];
  const programs = sizedPrograms(async (...sizes) => {
    const name = sizes.join("x");
    events.push(`make ${name}`);
    return { name, dispose: async () => void events.push(`dispose ${name}`) };
  });
  // Asked for twice before it is ready.
  const [first, again] = await Promise.all([programs.for(2, 3), programs.for(2, 3)]);
  expect(again).toBe(first);
  expect((await programs.for(3, 2)).name).toBe("3x2");
  expect((await programs.for(23)).name).toBe("23");
  expect(await programs.for(2, 3)).toBe(first);
  expect(events).toEqual(["make 2x3", "make 3x2", "make 23"]);
  await programs.dispose();
  expect(events.slice(3)).toEqual(["dispose 2x3", "dispose 3x2", "dispose 23"]);
  await programs.for(23);
  expect(events.at(-1)).toBe("make 23");
});

test("a program that could not be made is made again", async () => {
  let attempts = 0;
  const programs = sizedPrograms(async () => {
    if (attempts++ === 0) throw new Error("no memory");
    return { dispose: async () => {} };
  });
  await expect(programs.for(1)).rejects.toThrow("no memory");
  await programs.for(1);
  await programs.dispose();
  expect(attempts).toBe(2);
});
