import type { EnvSpec } from "../envs/index.ts";
import { InputError } from "../errors.ts";
import { actionRows, observationRows } from "../models/index.ts";

/**
 * An environment as one network sees it that all its agents share: agents that observe and do equally much.
 *
 * @param who whose setting or network it is, for messages
 * @param padObservations whether zeros stand for what an agent observes less than others
 * @param instead what to use where agents are unlike, for messages
 * @throws InputError when sizes of observations differ and are not padded, or sizes of actions differ
 */
export function equalAgents(
  who: string,
  spec: EnvSpec,
  { padObservations }: { readonly padObservations: boolean },
  instead: string,
): EnvSpec {
  const observed = range(observationRows(spec));
  if (observed !== undefined && !padObservations) {
    throw new InputError(
      `${who}: agents of ${spec.id} observe ${observed} numbers, expected equally many; padObservations=true puts zeros for what is missing, or use ${instead}`,
    );
  }
  const acted = range(actionRows(spec));
  if (acted !== undefined) {
    throw new InputError(
      `${who}: actions of agents of ${spec.id} have ${acted} numbers, expected equally many; use ${instead}`,
    );
  }
  return { ...spec, observationSizes: undefined };
}

/** The fewest and the most, where they differ. */
function range(rows: readonly (readonly number[])[]): string | undefined {
  const sizes = rows.map(({ length }) => length);
  const [fewest, most] = [Math.min(...sizes), Math.max(...sizes)];
  return fewest === most ? undefined : `${fewest} to ${most}`;
}
