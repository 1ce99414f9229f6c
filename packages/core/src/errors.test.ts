import { describe, expect, test } from "vitest";
import { InputError, nearest, unknownName } from "./errors.ts";

describe("nearest", () => {
  const choices = ["coordination-game", "aloha", "mappo"];
  test("finds a misspelt, transposed or shortened name", () => {
    expect(nearest("mapo", choices)).toBe("mappo");
    expect(nearest("alhoa", choices)).toBe("aloha");
    expect(nearest("coord", choices)).toBe("coordination-game");
  });
  test("gives nothing when no choice is close", () => {
    expect(nearest("zzzzzz", choices)).toBeUndefined();
  });
});

test("an unknown name tells the kind, the name, all choices and the nearest one", () => {
  const error = unknownName("algorithm", "mapo", ["mappo", "vdn"]);
  expect(error).toBeInstanceOf(InputError);
  expect(error.message).toBe('unknown algorithm "mapo": expected one of mappo, vdn. Did you mean "mappo"?');
});
