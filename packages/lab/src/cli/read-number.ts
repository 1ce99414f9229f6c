import { InputError } from "corral/errors";

/** Reads the value of an option that is a whole number, such as `20000`, `20_000` or `2e4`. */
export const readInteger =
  (option: string, least: number) =>
  (text: string): number => {
    const value = toNumber(text);
    if (value !== undefined && Number.isSafeInteger(value) && value >= least) return value;
    throw new InputError(`${option}: expected an integer of at least ${least} (got "${text}")`);
  };

/** Reads the value of an option that is a number, such as `0.1` or `1e-3`. */
export const readNumber =
  (option: string, least: number) =>
  (text: string): number => {
    const value = toNumber(text);
    if (value !== undefined && Number.isFinite(value) && value >= least) return value;
    throw new InputError(`${option}: expected a number of at least ${least} (got "${text}")`);
  };

/** Reads a seed: a whole number, or any other text as it is. */
export const readSeed = (text: string): number | string => toNumber(text) ?? text;

/** The number a text stands for, undefined when it is none. */
export function toNumber(text: string): number | undefined {
  if (!/^[+-]?(\d[\d_]*\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return undefined;
  return Number(text.replaceAll("_", ""));
}
