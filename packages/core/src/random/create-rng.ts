import { xoroshiro128plusFromState } from "pure-rand/generator/xoroshiro128plus";
import { InputError } from "../errors.ts";
import { nameHash } from "./name-hash.ts";
import type { Rng, RngState } from "./rng.ts";

/**
 * The root stream of a seed. Equal seeds give equal streams on every machine; a number and its decimal text are
 * the same seed, so that `7` from a program and `"7"` from a command line agree.
 *
 * The generator is xoroshiro128+ (Blackman and Vigna, 2018), started from a 128-bit hash of the stream's name.
 * Names cannot collide: `~` and `/` inside a seed or a child are written `~0` and `~1`, so that `split("a/b")`
 * and `split("a").split("b")` are different streams.
 *
 * @param seed an integer in `0..2^53-1` or a non-empty text
 * @throws InputError when the seed is neither
 */
export function createRng(seed: number | string): Rng {
  if (typeof seed === "number") {
    if (!Number.isSafeInteger(seed) || seed < 0) {
      const closest = Math.min(Math.max(Math.round(seed) || 0, 0), Number.MAX_SAFE_INTEGER);
      throw new InputError(`seed: got ${seed}, expected an integer in 0..2^53-1, for example ${closest}`);
    }
    return stream(String(seed));
  }
  if (typeof seed !== "string" || seed === "") {
    const got = seed === "" ? "an empty text" : describe(seed);
    throw new InputError(
      `seed: got ${got}, expected an integer in 0..2^53-1 or a non-empty text, for example 0`,
    );
  }
  return stream(escapeName(seed));
}

function stream(name: string): Rng {
  let generator = xoroshiro128plusFromState(nameHash(name));

  const next = (): number => generator.next() >>> 0;

  /** Uniform integer below 2^53. The lowest bits of xoroshiro128+ are its weakest, so they are dropped. */
  const bits53 = (): number => (next() >>> 5) * 0x4000000 + (next() >>> 6);

  const uniform = (): number => bits53() * 2 ** -53;

  /** Uniform on the midpoints of 2^52 equal cells of (0, 1): logarithms of it and of one minus it are finite. */
  const openUniform = (): number => ((next() >>> 6) * 0x4000000 + (next() >>> 6) + 0.5) * 2 ** -52;

  const integer = (n: number): number => {
    if (!Number.isSafeInteger(n) || n < 1) {
      throw new RangeError(`integer: got n = ${n}, expected an integer in 1..2^53-1`);
    }
    // The range is cut into n buckets of equal width, and draws beyond the last whole bucket are repeated.
    const wide = n > 2 ** 32;
    const width = Math.floor((wide ? 2 ** 53 : 2 ** 32) / n);
    for (;;) {
      const bucket = Math.floor((wide ? bits53() : next()) / width);
      if (bucket < n) return bucket;
    }
  };

  /** Box-Muller transform. Only one number of the pair is used: a kept second one would be hidden state. */
  const normal = (): number => {
    const radius = Math.sqrt(-2 * Math.log(openUniform()));
    return radius * Math.cos(2 * Math.PI * uniform());
  };

  const gumbel = (): number => -Math.log(-Math.log(openUniform()));

  const categorical = (weights: ArrayLike<number>): number => {
    let total = 0;
    for (let i = 0; i < weights.length; i++) {
      if (!(weights[i] >= 0)) {
        throw new RangeError(
          `categorical: weight ${i} is ${weights[i]}, expected a number that is at least 0`,
        );
      }
      total += weights[i];
    }
    if (!(total > 0 && total < Infinity)) {
      throw new RangeError(
        `categorical: the ${weights.length} weights sum to ${total}, expected a positive number`,
      );
    }
    let rest = uniform() * total;
    let last = 0;
    for (let i = 0; i < weights.length; i++) {
      if (weights[i] === 0) continue;
      if (rest < weights[i]) return i;
      rest -= weights[i];
      last = i;
    }
    // Rounding of the running difference can pass the end by a hair.
    return last;
  };

  const permutation = (
    n: number,
    out: Int32Array = new Int32Array(checkCount("permutation", n)),
  ): Int32Array => {
    checkCount("permutation", n);
    if (out.length < n) {
      throw new RangeError(`permutation: out has ${out.length} places, expected at least ${n}`);
    }
    for (let i = 0; i < n; i++) out[i] = i;
    for (let i = n - 1; i > 0; i--) {
      const j = integer(i + 1);
      const held = out[i];
      out[i] = out[j];
      out[j] = held;
    }
    return out;
  };

  /** The first k swaps of a Fisher-Yates shuffle, with a map in place of the array when k is much below n. */
  const sampleWithoutReplacement = (n: number, k: number): Int32Array => {
    checkCount("sampleWithoutReplacement", n);
    if (!Number.isInteger(k) || k < 0 || k > n) {
      throw new RangeError(`sampleWithoutReplacement: got k = ${k}, expected an integer in 0..${n}`);
    }
    const sample = new Int32Array(k);
    if (k > n / 16) {
      const items = new Int32Array(n);
      for (let i = 0; i < n; i++) items[i] = i;
      for (let i = 0; i < k; i++) {
        const j = i + integer(n - i);
        sample[i] = items[j];
        items[j] = items[i];
      }
    } else {
      const moved = new Map<number, number>();
      for (let i = 0; i < k; i++) {
        const j = i + integer(n - i);
        sample[i] = moved.get(j) ?? j;
        moved.set(j, moved.get(i) ?? i);
      }
    }
    return sample;
  };

  return {
    name,
    split(child) {
      if (typeof child !== "string" || child === "") {
        const got = child === "" ? "an empty text" : describe(child);
        throw new InputError(`stream "${name}": got ${got} as a child's name, expected a non-empty text`);
      }
      return stream(`${name}/${escapeName(child)}`);
    },
    next,
    uniform,
    integer,
    normal,
    gumbel,
    categorical,
    permutation,
    sampleWithoutReplacement,
    fillUniform(out) {
      if (out instanceof Float32Array) {
        // Rounded down to 24 bits, because the nearest float32 of a number just below 1 is 1.
        for (let i = 0; i < out.length; i++) out[i] = Math.floor(uniform() * 0x1000000) / 0x1000000;
      } else {
        for (let i = 0; i < out.length; i++) out[i] = uniform();
      }
    },
    fillNormal(out) {
      for (let i = 0; i < out.length; i++) out[i] = normal();
    },
    fillGumbel(out) {
      for (let i = 0; i < out.length; i++) out[i] = gumbel();
    },
    state: () => [...generator.getState()],
    restore(state) {
      generator = xoroshiro128plusFromState(checkState(name, state));
    },
  };
}

function escapeName(part: string): string {
  return part.replaceAll("~", "~0").replaceAll("/", "~1");
}

function checkCount(caller: string, n: number): number {
  if (!Number.isInteger(n) || n < 0 || n > 2 ** 31) {
    throw new RangeError(`${caller}: got n = ${n}, expected an integer in 0..2^31`);
  }
  return n;
}

/** Four signed 32-bit integers, not all zero. */
function checkState(name: string, state: RngState): RngState {
  const valid =
    Array.isArray(state) &&
    state.length === 4 &&
    state.every((word) => typeof word === "number" && word === (word | 0)) &&
    state.some((word) => word !== 0);
  if (!valid) {
    throw new InputError(
      `stream "${name}": cannot restore ${describe(state)}, expected four 32-bit integers that are not all 0`,
    );
  }
  return [...state];
}

function describe(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
