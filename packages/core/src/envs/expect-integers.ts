import { InputError } from "../errors.ts";

/** @throws InputError when a state that someone gave is not one integer of `0..most` for each agent */
export function expectIntegers(env: string, state: ArrayLike<number>, agents: number, most: number): void {
  if (state.length !== agents) {
    throw new InputError(
      `${env}: a state of ${state.length} numbers, expected ${agents}, one for each agent`,
    );
  }
  for (let i = 0; i < agents; i++) {
    if (Number.isInteger(state[i]) && state[i] >= 0 && state[i] <= most) continue;
    throw new InputError(
      `${env}: number ${i} of the state is ${state[i]}, expected an integer of 0..${most}`,
    );
  }
}
