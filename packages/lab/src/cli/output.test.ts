import { expect, test } from "vitest";
import { brief, duration, grouped, paragraph, shellCommand } from "./output.ts";

test("numbers for reading", () => {
  expect([0, 0.12345, 12.3456, 1234.56, -45_678.9, 0.000123].map(brief)).toEqual([
    "0",
    "0.1235",
    "12.35",
    "1235",
    "-45,679",
    "1.23e-4",
  ]);
  expect([Number.NaN, undefined, null, Number.NEGATIVE_INFINITY].map(brief)).toEqual(["-", "-", "-", "-∞"]);
  expect([7, 1000, 1_234_567].map(grouped)).toEqual(["7", "1,000", "1,234,567"]);
});

test("durations for reading", () => {
  const seconds = [2.36, 9.96, 59.4, 59.6, 125, 3599.7, 12_000];
  expect(seconds.map((value) => duration(1000 * value))).toEqual([
    "2.4 s",
    "10 s",
    "59 s",
    "1 min 0 s",
    "2 min 5 s",
    "1 h 0 min",
    "3 h 20 min",
  ]);
});

test("commands can be copied to a shell", () => {
  const plain = /^(npx )?corral show runs\/a-1$/;
  expect(shellCommand("show", "runs/a-1")).toMatch(plain);
  expect(shellCommand("show", "it's (1)")).toMatch(/ show 'it'\\''s \(1\)'$/);
});

test("paragraphs break between words", () => {
  const text = Array.from({ length: 30 }, (_, i) => `word${i}`).join(" ");
  const lines = paragraph(text, 4).split("\n");
  expect(lines.length).toBeGreaterThan(1);
  expect(lines.every((line) => /^ {4}\S/.test(line) && line.length <= 120)).toBe(true);
  expect(lines.map((line) => line.trim()).join(" ")).toBe(text);
});
