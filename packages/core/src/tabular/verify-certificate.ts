import { z } from "zod";
import { InputError } from "../errors.ts";

// This file believes nothing and shares no arithmetic with the rest of the room: plain loops over the certificate's own
// nested arrays, written after the definitions. Slow and short on purpose.

/** A number, verdict or text of a certificate that is not what it must be. */
export interface Disagreement {
  /** Where it stands, for example `bounds.lemma2.printed`. */
  readonly path: string;
  readonly found: unknown;
  readonly expected: unknown;
}

/** One part of a certificate that was checked. */
export interface CertificateCheck {
  /** Key of the certificate. */
  readonly name: string;
  /** Numbers, verdicts and texts that were compared. */
  readonly compared: number;
  readonly disagreements: readonly Disagreement[];
}

export interface Verification {
  readonly passed: boolean;
  readonly checks: readonly CertificateCheck[];
}

/** Numbers agree when they differ by at most this share of the larger one, ... */
const RELATIVE = 1e-8;
/** ... or by this share of the largest size that the quantity, or what it is the difference of, can have in the game. */
const ABSOLUTE = 1e-12;

const number = z.number();
const numberOrNull = z.number().nullable();
const numbers = z.array(number);
const table = z.array(numbers);
const parameters = z.array(z.array(table));
const bound = z.strictObject({
  measured: number,
  printed: numberOrNull,
  corrected: numberOrNull,
  premises: z.record(z.string(), z.boolean()),
  holds: z.boolean().nullable(),
});
const certificateSchema = z.strictObject({
  format: z.literal("corral certificate 1"),
  gameHash: z.string(),
  game: z.strictObject({
    actions: numbers,
    states: number,
    transition: z.array(table),
    reward: table,
    initial: numbers,
    discount: number,
  }),
  edges: z.array(z.tuple([number, number])),
  lambda: number,
  theta: parameters,
  value: number,
  regularisedValue: number,
  optimalValue: number,
  optimalityGap: number,
  suboptimality: numberOrNull,
  priceOfAnarchy: numberOrNull,
  stateValues: numbers,
  visitation: numbers,
  gradientNorm: number,
  stationarityLevel: number,
  gradient: parameters,
  equilibriumGap: numbers,
  gapUnconditional: numbers,
  mismatch: numberOrNull,
  unvisitedStates: numbers,
  decomposition: z.strictObject({ partition: table, transition: number, reward: number }).nullable(),
  bounds: z.strictObject({ lemma2: bound, lemma3Subteams: bound, lemma3BnRates: bound }),
  hash: z.string(),
});

type Parsed = z.output<typeof certificateSchema>;

/**
 * Computes every number of a certificate again from its game, edges, lambda and theta, by other means than those that
 * made it, and compares. Two numbers agree when they differ by at most 1e-8 of the larger one, or by 1e-12 of the
 * largest size that the quantity can have in the game; the hashes notice what is smaller.
 *
 * @param json the parsed file
 * @param hash the hash the certificate was made with
 * @throws InputError when it is no certificate at all: a key is missing, unknown or of the wrong type
 */
export function verifyCertificate(json: unknown, hash: (value: unknown) => string): Verification {
  const parsed = certificateSchema.safeParse(json);
  if (!parsed.success) {
    const [{ path, message }] = parsed.error.issues;
    throw new InputError(`certificate: ${path.length > 0 ? `${path.join(".")}: ` : ""}${message}`);
  }
  const certificate = parsed.data;
  const { hash: whole, ...rest } = certificate;
  const checks: CertificateCheck[] = [
    compare("hash", whole, hash(rest), 0),
    compare("gameHash", certificate.gameHash, hash(certificate.game), 0),
  ];
  const inputs = inputFlaws(certificate);
  checks.push(...inputs);
  if (inputs.every(({ disagreements }) => disagreements.length === 0)) {
    const { expected, sizes } = recompute(certificate);
    for (const [name, value] of Object.entries(expected)) {
      const found = certificate[name as keyof typeof expected];
      checks.push(compare(name, found, value, ABSOLUTE * (sizes[name] ?? 0)));
    }
  }
  return { passed: checks.every(({ disagreements }) => disagreements.length === 0), checks };
}

const agree = (one: number, other: number, absolute: number): boolean =>
  Math.abs(one - other) <= Math.max(RELATIVE * Math.max(Math.abs(one), Math.abs(other)), absolute);

/** Compares all leaves below a key. */
function compare(name: string, found: unknown, expected: unknown, absolute: number): CertificateCheck {
  const disagreements: Disagreement[] = [];
  let compared = 0;
  const visit = (path: string, one: unknown, other: unknown): void => {
    if (typeof one === "object" && one !== null && typeof other === "object" && other !== null) {
      const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
      const step = (key: string) => (Array.isArray(other) ? `${path}[${key}]` : `${path}.${key}`);
      for (const key of keys) {
        visit(step(key), (one as Record<string, unknown>)[key], (other as Record<string, unknown>)[key]);
      }
      return;
    }
    compared++;
    if (one === other) return;
    if (typeof one === "number" && typeof other === "number" && agree(one, other, absolute)) return;
    disagreements.push({ path, found: one, expected: other });
  };
  visit(name, found, expected);
  return { name, compared, disagreements };
}

/** What keeps the game, the edges, lambda and theta from being what they claim; values only, types are right. */
function inputFlaws({ game, edges, lambda, theta }: Parsed): CertificateCheck[] {
  const flaws: Record<string, Disagreement[]> = { game: [], edges: [], lambda: [], theta: [] };
  const compared: Record<string, number> = { game: 0, edges: 0, lambda: 0, theta: 0 };
  const expect = (name: string, holds: boolean, path: string, found: unknown, expected: unknown) => {
    compared[name]++;
    if (!holds) flaws[name].push({ path, found, expected });
    return holds;
  };
  const length = (name: string, path: string, list: readonly unknown[] | undefined, expected: number) =>
    expect(name, list?.length === expected, `${path}.length`, list?.length, expected);
  const distribution = (path: string, row: readonly number[]) => {
    let sum = 0;
    row.forEach((entry, k) => {
      expect("game", entry >= 0, `${path}[${k}]`, entry, "a probability");
      sum += entry;
    });
    expect("game", Math.abs(sum - 1) <= 1e-7, `sum of ${path}`, sum, 1);
  };

  const agents = game.actions.length;
  expect("game", agents > 0, "game.actions.length", agents, "at least 1");
  game.actions.forEach((count, i) => {
    expect(
      "game",
      Number.isInteger(count) && count > 0,
      `game.actions[${i}]`,
      count,
      "an integer of at least 1",
    );
  });
  const { states } = game;
  expect("game", Number.isInteger(states) && states > 0, "game.states", states, "an integer of at least 1");
  expect("game", game.discount >= 0 && game.discount < 1, "game.discount", game.discount, "within [0, 1)");
  expect("lambda", lambda >= 0, "lambda", lambda, "at least 0");
  const joint = game.actions.reduce((product, count) => product * count, 1);
  if (length("game", "game.initial", game.initial, states)) distribution("game.initial", game.initial);
  length("game", "game.reward", game.reward, states);
  game.reward.forEach((row, s) => {
    length("game", `game.reward[${s}]`, row, joint);
  });
  length("game", "game.transition", game.transition, states);
  game.transition.forEach((rows, s) => {
    length("game", `game.transition[${s}]`, rows, joint);
    rows.forEach((row, a) => {
      const path = `game.transition[${s}][${a}]`;
      if (length("game", path, row, states)) distribution(path, row);
    });
  });

  const parents = game.actions.map((): number[] => []);
  edges.forEach(([parent, child], at) => {
    const named = [parent, child].every((agent) => Number.isInteger(agent) && agent >= 0 && agent < agents);
    if (!expect("edges", named, `edges[${at}]`, [parent, child], `agents of 0..${agents - 1}`)) return;
    const fresh = !parents[child].includes(parent);
    if (expect("edges", fresh, `edges[${at}]`, [parent, child], "each edge once"))
      parents[child].push(parent);
  });
  // Agents whose parents are all placed can be placed; a cycle is what never can.
  const placed = parents.map(() => false);
  for (let round = 0; round < agents; round++) {
    parents.forEach((own, i) => {
      if (own.every((j) => placed[j])) placed[i] = true;
    });
  }
  expect("edges", !placed.includes(false), "edges", edges, "no cycle");

  if (length("theta", "theta", theta, agents)) {
    theta.forEach((ofAgent, i) => {
      const rows = parents[i].reduce((product, j) => product * game.actions[j], 1);
      length("theta", `theta[${i}]`, ofAgent, states);
      ofAgent.forEach((ofState, s) => {
        length("theta", `theta[${i}][${s}]`, ofState, rows);
        ofState.forEach((row, k) => {
          length("theta", `theta[${i}][${s}][${k}]`, row, game.actions[i]);
        });
      });
    });
  }
  return Object.entries(flaws).map(([name, disagreements]) => ({
    name,
    compared: compared[name],
    disagreements,
  }));
}

/** Everything a certificate says beyond its inputs, and the largest size that each quantity can have in the game. */
function recompute({ game, edges, lambda, theta, bounds }: Parsed) {
  const { actions, states, transition, reward, initial, discount } = game;
  const agents = actions.length;
  const horizon = 1 / (1 - discount);
  const allStates = counting(states);
  const allAgents = counting(agents);
  const parents = allAgents.map((i) =>
    edges
      .filter(([, child]) => child === i)
      .map(([parent]) => parent)
      .sort((a, b) => a - b),
  );
  const jointActions = digitsOf(actions);
  // parentIndex[i][a]: what the parents of i do in joint action a, as one number.
  const parentIndex = parents.map((own) =>
    jointActions.map((digits) => own.reduce((index, j) => index * actions[j] + digits[j], 0)),
  );
  const parentActions = parents.map((own) => own.reduce((product, j) => product * actions[j], 1));

  const logPolicy = theta.map((ofAgent) => ofAgent.map((ofState) => ofState.map(logSoftmax)));
  const conditional = (i: number, s: number, a: number) =>
    Math.exp(logPolicy[i][s][parentIndex[i][a]][jointActions[a][i]]);
  const policy = allStates.map((s) =>
    jointActions.map((_, a) => allAgents.reduce((product, i) => product * conditional(i, s, a), 1)),
  );
  /** `I - gamma P` of a policy given by weights of the joint actions in each state. */
  const system = (weights: readonly (readonly number[])[]) =>
    allStates.map((s) => {
      const row = allStates.map((next) => (next === s ? 1 : 0));
      weights[s].forEach((weight, a) => {
        if (weight === 0) return;
        for (const next of allStates) row[next] -= discount * weight * transition[s][a][next];
      });
      return row;
    });
  const own = system(policy);
  const stateValues = solve(
    own,
    allStates.map((s) => average(policy[s], reward[s])),
  );
  const visitation = solve(
    allStates.map((row) => allStates.map((column) => own[column][row])),
    initial,
  );
  const value = average(initial, stateValues);
  const returns = (payoff: readonly (readonly number[])[], values: readonly number[], s: number) =>
    jointActions.map((_, a) => payoff[s][a] + discount * average(transition[s][a], values));

  // The derivative of log pi^i(u'|s,k) by theta^i[s,k,u] is 1[u = u'] - pi^i(u|s,k).
  const gradient = theta.map((ofAgent) => ofAgent.map((ofState) => ofState.map((row) => row.map(() => 0))));
  for (const s of allStates) {
    const actionValues = returns(reward, stateValues, s);
    jointActions.forEach((digits, a) => {
      const weight = visitation[s] * policy[s][a] * (actionValues[a] - stateValues[s]);
      for (const i of allAgents) {
        const k = parentIndex[i][a];
        for (let u = 0; u < actions[i]; u++) {
          gradient[i][s][k][u] += weight * ((digits[i] === u ? 1 : 0) - Math.exp(logPolicy[i][s][k][u]));
        }
      }
    });
  }
  let barrier = 0;
  let squares = 0;
  for (const i of allAgents) {
    barrier += Math.log(actions[i]);
    for (const s of allStates) {
      for (let k = 0; k < parentActions[i]; k++) {
        for (let u = 0; u < actions[i]; u++) {
          const logProbability = logPolicy[i][s][k][u];
          barrier += logProbability / (states * parentActions[i] * actions[i]);
          gradient[i][s][k][u] +=
            (lambda / (states * parentActions[i])) * (1 / actions[i] - Math.exp(logProbability));
          squares += gradient[i][s][k][u] ** 2;
        }
      }
    }
  }
  const gradientNorm = Math.sqrt(squares);

  /**
   * Values of the best of a set of policies. @param greedy weights of the joint actions in each state that are best
   * before the given values
   */
  const best = (
    payoff: readonly (readonly number[])[],
    greedy: (actionValues: readonly number[], s: number) => readonly number[],
  ): number[] => {
    let values: number[] | undefined;
    for (;;) {
      const before = values ?? allStates.map(() => 0);
      const weights = allStates.map((s) => greedy(returns(payoff, before, s), s));
      const next = solve(
        system(weights),
        allStates.map((s) => average(weights[s], payoff[s])),
      );
      // Exact improvements raise all values. When none rises by more than rounding, or they fall together, no policy of
      // the set is better.
      const old = values;
      if (old !== undefined) {
        const rises = next.some((x, s) => x > old[s] + 1e-14 * horizon * Math.abs(old[s]));
        const change = next.reduce((sum, x, s) => sum + (x - old[s]), 0);
        if (!rises || !(change > 0)) return next;
      }
      values = next;
    }
  };
  const anyAction = (actionValues: readonly number[]) => {
    const chosen = firstLargest(actionValues);
    return jointActions.map((_, a) => (a === chosen ? 1 : 0));
  };
  const optimalValue = average(initial, best(reward, anyAction));
  /** What agent i gains alone when it sees only `group(a)` besides the state. */
  const gain = (i: number, groups: number, group: (a: number) => number) => {
    const others = allStates.map((s) =>
      jointActions.map((_, a) =>
        allAgents.reduce((product, j) => (j === i ? product : product * conditional(j, s, a)), 1),
      ),
    );
    const values = best(reward, (actionValues, s) => {
      const sums = counting(groups).map(() => counting(actions[i]).map(() => 0));
      jointActions.forEach((digits, a) => {
        sums[group(a)][digits[i]] += others[s][a] * actionValues[a];
      });
      const chosen = sums.map(firstLargest);
      return jointActions.map((digits, a) => (chosen[group(a)] === digits[i] ? others[s][a] : 0));
    });
    return average(initial, values) - value;
  };
  const equilibriumGap = allAgents.map((i) =>
    Math.max(
      0,
      gain(i, parentActions[i], (a) => parentIndex[i][a]),
    ),
  );

  let mismatch = 1;
  // Without a future, nothing but where it starts is visited.
  const unvisitedStates = allStates.filter(
    (s) => initial[s] === 0 && (discount === 0 || avoids(transition, initial, s)),
  );
  for (const visited of unvisitedStates.length > 0 ? [] : allStates) {
    const pays = (amount: number) =>
      allStates.map((s) => jointActions.map(() => (s === visited ? amount : 0)));
    const most = average(initial, best(pays(1), anyAction));
    const fewest = -average(initial, best(pays(-1), anyAction));
    mismatch = Math.max(mismatch, most / fewest);
  }

  const partition = connectedAgents(agents, edges);
  const joined = (i: number, j: number) =>
    edges.some(([parent, child]) => (parent === i && child === j) || (parent === j && child === i));
  const subteams = partition.every((block) =>
    block.every((i, at) => block.slice(0, at).every((j) => joined(i, j))),
  );
  const fullDag = edges.length === (agents * (agents - 1)) / 2;
  const columns = (s: number) => allStates.map((next) => jointActions.map((_, a) => transition[s][a][next]));
  const remainder = (column: number[]) => largestRemainder(column, jointActions, partition);
  const decomposition = subteams
    ? {
        partition,
        transition: largest(allStates.map((s) => largest(columns(s).map(remainder)))),
        reward: largest(reward.map(remainder)),
      }
    : null;

  const highest = largest(reward.map(largest));
  const lowest = -largest(reward.map((row) => largest(row.map((entry) => -entry))));
  const stationarityLevel = lambda / (2 * states * jointActions.length * largest(actions));
  const finite = unvisitedStates.length === 0;
  const size = Math.max(Math.abs(highest), Math.abs(lowest)) * horizon;
  // A search among policies may leave what is smaller than rounding in each step of the whole horizon.
  const ofSearch = (1 + size) * horizon;
  // A ratio of visits inherits, besides the rounding of both, that of the small ones as its own square.
  const ofMismatch = mismatch ** 2 * horizon;
  const ofGradient = size * horizon + lambda;
  const ofBounds = ofSearch + lambda * ofMismatch * 2 ** (agents + 1) * agents;
  /** Whether `left <= right`; where the two agree in the sense of this file either verdict is right. */
  const atMost = (claimed: boolean, left: number, right: number, sizeOfBoth: number) =>
    agree(left, right, ABSOLUTE * sizeOfBoth) ? claimed : left <= right;
  const judged = (
    name: keyof typeof bounds,
    measured: number,
    printed: number,
    corrected: number,
    applies: boolean,
    more: object,
  ) => {
    const claimed = bounds[name];
    const stated = finite && applies;
    const stationary = claimed.premises.stationary === true;
    return {
      measured,
      printed: stated ? printed : null,
      corrected: stated ? corrected : null,
      premises: {
        barrier: lambda > 0,
        stationary: atMost(stationary, gradientNorm, stationarityLevel, ofGradient),
        everyStateVisited: finite,
        ...more,
      },
      holds: stated
        ? atMost(claimed.holds === true, measured, corrected + 1e-10 * (1 + Math.abs(optimalValue)), ofBounds)
        : null,
    };
  };
  const subsets = partition.reduce((sum, block) => sum + 2 ** block.length - 1, 0);
  const blockErrors = (range: number) =>
    2 *
    partition.length *
    (horizon * (decomposition?.reward ?? 0) +
      discount * states * range * horizon ** 2 * (decomposition?.transition ?? 0));
  const stationaryShare = 2 * lambda * mismatch;
  const optimalityGap = optimalValue - value;
  const wholeBound = 2 ** (agents + 1) * agents * lambda * mismatch;

  const expected = {
    value,
    regularisedValue: value + lambda * barrier,
    optimalValue,
    optimalityGap,
    suboptimality: optimalValue === 0 ? null : 1 - value / optimalValue,
    priceOfAnarchy: optimalValue === 0 ? null : value / optimalValue,
    stateValues,
    visitation,
    gradientNorm,
    stationarityLevel,
    gradient,
    equilibriumGap,
    gapUnconditional: allAgents.map((i) => gain(i, 1, () => 0)),
    mismatch: finite ? mismatch : null,
    unvisitedStates,
    decomposition,
    bounds: {
      lemma2: judged("lemma2", largest(equilibriumGap), stationaryShare, stationaryShare, true, {}),
      lemma3Subteams: judged(
        "lemma3Subteams",
        optimalityGap,
        stationaryShare * subsets + blockErrors(1),
        stationaryShare * subsets + blockErrors(highest - lowest),
        subteams,
        { subteams },
      ),
      lemma3BnRates: judged("lemma3BnRates", optimalityGap, wholeBound, wholeBound, fullDag, { fullDag }),
    },
  };
  const sizes: Readonly<Record<string, number>> = {
    value: size,
    regularisedValue: size + lambda * (Math.abs(barrier) + agents * Math.log(largest(actions))),
    optimalValue: ofSearch,
    optimalityGap: ofSearch,
    suboptimality: ofSearch / Math.abs(optimalValue),
    priceOfAnarchy: ofSearch / Math.abs(optimalValue),
    stateValues: size,
    visitation: horizon,
    gradientNorm: ofGradient,
    gradient: ofGradient,
    equilibriumGap: ofSearch,
    gapUnconditional: ofSearch,
    mismatch: ofMismatch,
    decomposition: 1 + size,
    bounds: ofBounds,
  };
  return { expected, sizes };
}

/** `sum_k weights[k] values[k]` */
function average(weights: readonly number[], values: readonly number[]): number {
  let sum = 0;
  for (let k = 0; k < values.length; k++) sum += weights[k] * values[k];
  return sum;
}

const counting = (count: number): number[] => Array.from({ length: count }, (_, k) => k);

/** All lists of digits below the given radices, the first digit most significant. */
function digitsOf(radices: readonly number[]): number[][] {
  return radices.reduce<number[][]>(
    (lists, radix) => lists.flatMap((list) => counting(radix).map((digit) => [...list, digit])),
    [[]],
  );
}

function logSoftmax(row: readonly number[]): number[] {
  const highest = largest(row);
  const log = Math.log(row.reduce((sum, entry) => sum + Math.exp(entry - highest), 0));
  return row.map((entry) => entry - highest - log);
}

const largest = (values: readonly number[]): number => values[firstLargest(values)];

function firstLargest(values: readonly number[]): number {
  return values.reduce((best, value, k) => (value > values[best] ? k : best), 0);
}

/** Solves `matrix x = right` by elimination with row exchanges; the arguments are left as they are. */
function solve(matrix: readonly (readonly number[])[], right: readonly number[]): number[] {
  const size = right.length;
  const rows = matrix.map((row, k) => [...row, right[k]]);
  for (let column = 0; column < size; column++) {
    let pivot = column;
    for (let row = column + 1; row < size; row++) {
      if (Math.abs(rows[row][column]) > Math.abs(rows[pivot][column])) pivot = row;
    }
    [rows[column], rows[pivot]] = [rows[pivot], rows[column]];
    for (let row = column + 1; row < size; row++) {
      const factor = rows[row][column] / rows[column][column];
      if (factor === 0) continue;
      for (let k = column; k <= size; k++) rows[row][k] -= factor * rows[column][k];
    }
  }
  const solution = new Array<number>(size).fill(0);
  for (let row = size - 1; row >= 0; row--) {
    let rest = rows[row][size];
    for (let k = row + 1; k < size; k++) rest -= rows[row][k] * solution[k];
    solution[row] = rest / rows[row][row];
  }
  return solution;
}

/** Whether some policy that starts from `initial` never visits a state. */
function avoids(
  transition: readonly (readonly (readonly number[])[])[],
  initial: readonly number[],
  avoided: number,
): boolean {
  // Drop states in which every joint action can lead to what was dropped already.
  const safe = initial.map((_, s) => s !== avoided);
  for (const _ of initial) {
    transition.forEach((rows, s) => {
      if (!rows.some((row) => row.every((probability, next) => probability === 0 || safe[next])))
        safe[s] = false;
    });
  }
  return initial.every((mass, s) => mass === 0 || safe[s]);
}

/** The groups of agents that edges connect, each in increasing id, in order of their smallest agents. */
function connectedAgents(agents: number, edges: readonly (readonly [number, number])[]): number[][] {
  const label = counting(agents);
  for (let round = 0; round < agents; round++) {
    for (const [parent, child] of edges) {
      const least = Math.min(label[parent], label[child]);
      label[parent] = least;
      label[child] = least;
    }
  }
  return counting(agents)
    .map((block) => counting(agents).filter((agent) => label[agent] === block))
    .filter((block) => block.length > 0);
}

/** Largest absolute residual of a table over joint actions fitted by a sum over blocks in least squares. */
function largestRemainder(
  column: readonly number[],
  jointActions: readonly (readonly number[])[],
  partition: readonly (readonly number[])[],
): number {
  if (partition.length === 1) return 0;
  const mean = column.reduce((sum, entry) => sum + entry, 0) / column.length;
  const fit = column.map(() => mean);
  for (const block of partition) {
    const sums = new Map<string, { total: number; count: number }>();
    const cell = (a: number) => block.map((agent) => jointActions[a][agent]).join();
    column.forEach((entry, a) => {
      const seen = sums.get(cell(a)) ?? { total: 0, count: 0 };
      sums.set(cell(a), { total: seen.total + entry, count: seen.count + 1 });
    });
    column.forEach((_, a) => {
      const { total, count } = sums.get(cell(a)) ?? { total: 0, count: 1 };
      fit[a] += total / count - mean;
    });
  }
  return largest(column.map((entry, a) => Math.abs(entry - fit[a])));
}
