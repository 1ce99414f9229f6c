/**
 * Something the user gave is not valid: a name, a value, a file. The message is one line that names the input,
 * what was expected and, where there is one, the nearest valid choice. The command line prints it and exits with 2.
 */
export class InputError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "InputError";
  }
}

/** The choice with the smallest edit distance to `word`, or undefined when none is close enough to be meant. */
export function nearest(word: string, choices: readonly string[]): string | undefined {
  const lower = word.toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 2)) + 1;
  for (const choice of choices) {
    const candidate = choice.toLowerCase();
    const distance = lower.length >= 3 && candidate.startsWith(lower) ? 0.5 : editDistance(lower, candidate);
    if (distance < bestDistance) {
      best = choice;
      bestDistance = distance;
    }
  }
  return best;
}

/**
 * The error for a name that is not in a table.
 *
 * @param kind what the name stands for, for example `"environment"`
 */
export function unknownName(kind: string, name: string, choices: readonly string[]): InputError {
  const suggestion = nearest(name, choices);
  const hint = suggestion === undefined ? "" : ` Did you mean "${suggestion}"?`;
  return new InputError(`unknown ${kind} "${name}": expected one of ${choices.join(", ")}.${hint}`);
}

/** Damerau-Levenshtein distance with adjacent transpositions (optimal string alignment). */
function editDistance(a: string, b: string): number {
  const columns = b.length + 1;
  const table = new Int32Array((a.length + 1) * columns);
  for (let i = 0; i <= a.length; i++) table[i * columns] = i;
  for (let j = 0; j <= b.length; j++) table[j] = j;
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const substitution = table[(i - 1) * columns + j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      let distance = Math.min(substitution, table[(i - 1) * columns + j] + 1, table[i * columns + j - 1] + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        distance = Math.min(distance, table[(i - 2) * columns + j - 2] + 1);
      }
      table[i * columns + j] = distance;
    }
  }
  return table[a.length * columns + b.length];
}
