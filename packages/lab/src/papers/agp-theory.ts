import { configureEnv, type EnvDefinition, environments } from "corral/envs";
import type { Rng } from "corral/random";
import { maxPlus, parseCoordinationGraph } from "corral/structure";
import {
  bestAlikeRate,
  bestIndependentPolicy,
  bestInformedValue,
  bestSharedValue,
  exactlyKProbability,
  independentCeiling,
  interaction,
  isMonotonic,
  leastSquaresFit,
  type ObservationGame,
  observationGame,
  oneHotDivergence,
} from "corral/tabular";
import type { Scale } from "./figure.ts";
import { type Row, type TableClaim, table } from "./table.ts";

/** How a number that is computed should lie to the one that is printed. */
type Relation = "=" | "≤" | "≥" | "<" | ">";

/** One number that the paper speaks of, and what it is. */
interface Finding {
  readonly where: string;
  readonly quantity: string;
  readonly computed: number;
  readonly relation: Relation;
  readonly printed: number;
  /** Half a unit of the last printed digit, or what is lost to rounding. */
  readonly tolerance: number;
}

/** A sentence of the paper and the numbers it is judged by. */
interface Statement {
  readonly text: string;
  findings(effort: Effort, rng: Rng): readonly Finding[];
}

interface Effort {
  /** Numbers of agents for the divergence of Theorem C.1. */
  readonly sizes: readonly number[];
  /** Policies from which the search for the ceiling climbs. */
  readonly starts: number;
}

const efforts: Readonly<Record<Scale, Effort>> = {
  smoke: { sizes: [2, 3, 6], starts: 2 },
  quick: { sizes: [2, 3, 6, 10], starts: 16 },
  paper: { sizes: [2, 3, 4, 6, 10, 50], starts: 100 },
};

const exact = 1e-9;

const statements: readonly Statement[] = [
  {
    text: "Equation 9: agents that act with one probability p are most often exactly K at p = K/N",
    findings: () =>
      [
        { agents: 5, k: 2, printed: 0.3456, tolerance: 5e-5 },
        { agents: 6, k: 2, printed: 0.329, tolerance: 5e-4 },
      ].flatMap(({ agents, k, printed, tolerance }) => {
        const rates = Array.from({ length: 1001 }, (_, step) => step / 1000);
        const chances = rates.map((rate) => exactlyKProbability(agents, k, rate));
        const most = Math.max(...chances);
        const what = `exactly ${k} of ${agents} act`;
        const where = "Section 3";
        return [
          equal(where, `${what}: best p, of 1001`, rates[chances.indexOf(most)], k / agents, 5e-4),
          equal(where, `${what}: probability at the best p`, most, printed, tolerance),
        ];
      }),
  },
  {
    text: "Section 3: optimal independent policies fail nearly 65 % of the time to act exactly 2 of 5",
    findings: () => [
      equal(
        "Section 3",
        "exactly 2 of 5 act: best independent policies",
        bestIndependentPolicy(gameOf("exactly-k", { agents: 5, k: 2 })).value,
        0.3456,
        5e-5,
      ),
    ],
  },
  {
    text: "Section 5.1: independent policies succeed in Top-2 of 6 with probability .329 at most",
    findings: ({ starts }, rng) => [
      equal(
        "Section 5.1",
        "success in Top-2 of 6: best policies of own signals",
        independentCeiling({ agents: 6, k: 2 }, rng.split("top-k"), { starts }).success,
        0.329,
        5e-4,
      ),
    ],
  },
  {
    text: "Section 5.1: the reason is how often exactly 2 of 6 act that act with one probability",
    findings: () => [
      // Each of the 15 pairs of agents acts equally often, whichever are the top two.
      equal(
        "Section 5.1",
        "success of agents that act with p = 1/3 whatever they see",
        bestAlikeRate(gameOf("exactly-k", { agents: 6, k: 2 }))!.value / 15,
        0.329,
        5e-4,
      ),
    ],
  },
  {
    text: "Section 5.1: no baseline exceeds what independent execution permits",
    findings: ({ starts }, rng) => {
      const { success } = independentCeiling({ agents: 6, k: 2 }, rng.split("top-k"), { starts });
      const bound = "success of independent policies, as bound of";
      return [
        { name: "QMIX", printed: 0.232 },
        { name: "DCG", printed: 0.45 },
      ].map(({ name, printed }) => ({
        where: "Section 5.1",
        quantity: `${bound} ${name}`,
        computed: success,
        relation: "≥" as const,
        printed,
        tolerance: 5e-4,
      }));
    },
  },
  {
    text: "Theorems 3.1 and 4.1: there are games in which independent policies reach less than a team that shares what it sees",
    findings: () => {
      const game = gameOf("swap");
      return [
        {
          where: "Theorems 3.1, 4.1",
          quantity: "Swap (not in the paper): best independent policies",
          computed: bestIndependentPolicy(game).value,
          relation: "<",
          printed: bestSharedValue(game),
          tolerance: 0,
        },
      ];
    },
  },
  {
    text: "Theorem 3.1, proof: in a game with a hidden bit independent policies reach 1/2, and 1 is the most",
    findings: () => {
      const game = gameOf("latent-agreement");
      const where = "Theorem 3.1";
      const apart = bestIndependentPolicy(game).value;
      return [
        equal(where, "Latent agreement: best independent policies", apart, 0.5, exact),
        equal(where, "Latent agreement: best policy that sees the bit", bestInformedValue(game), 1, exact),
      ];
    },
  },
  {
    text: "Theorem 3.1, proof: that they are independent is what keeps them from more",
    findings: () => [
      {
        where: "Theorem 3.1",
        quantity: "Latent agreement: best policy of all observations",
        computed: bestSharedValue(gameOf("latent-agreement")),
        relation: ">",
        printed: 0.5,
        tolerance: 0,
      },
    ],
  },
  {
    text: "Theorem 3.2: agents that are greedy by their own utilities miss the best of a table with a pairwise term",
    findings: () => {
      const { utilities, payoffs, total } = mismatch;
      const where = "Theorem 3.2";
      return [
        equal(where, "second table: greedy by utilities", total[greedyIndex(utilities)], 2, exact),
        equal(where, "second table: largest value", Math.max(...total), 3, exact),
        equal(
          where,
          "second table: max-plus on its one edge",
          total[maxPlusIndex(utilities, payoffs)],
          3,
          exact,
        ),
      ];
    },
  },
  {
    text: "Theorem 3.2, proof: the first table is the sum of its terms, up to a constant",
    findings: () => {
      const { utilities, payoffs, table: printed } = firstTable;
      const left = sumOf(utilities, payoffs).map((value, a) => printed[a] - value);
      return [
        equal(
          "Theorem 3.2",
          "first table: spread of what its terms leave over",
          Math.max(...left) - Math.min(...left),
          0,
          exact,
        ),
      ];
    },
  },
  {
    text: "Theorem 3.2, proof: value decomposition without pairwise terms (VDN, QMIX) represents the table",
    findings: () =>
      [
        { name: "first", values: firstTable.table },
        { name: "second", values: mismatch.total },
      ].flatMap(({ name, values }) => {
        const [where, error] = ["Theorem 3.2", worstError(values, 1)];
        const monotonic = isMonotonic([2, 2], values) ? 1 : 0;
        return [
          equal(where, `${name} table: error of the best sum of utilities`, error, 0, exact),
          equal(where, `${name} table: 1 if it increases in some utilities`, monotonic, 1, exact),
        ];
      }),
  },
  {
    text: "Theorem 3.2: independent policies cannot play the best joint action",
    findings: () => [
      {
        where: "Theorem 3.2",
        quantity: "second table: best independent policies",
        computed: bestIndependentPolicy(
          gameOf("matrix-game", { payoff: [...mismatch.total], actions: [2, 2] }),
        ).value,
        relation: "<",
        printed: 3,
        tolerance: 0,
      },
    ],
  },
  {
    text: "Theorem B.1: no sum of payoffs of single agents and pairs is the parity of three agents or more",
    findings: () =>
      [3, 4, 5].map((agents) => ({
        where: "Theorem B.1",
        quantity: `parity, N = ${agents}: error of the best sum of pairs`,
        computed: worstError(parityOf(agents), 2),
        relation: ">",
        printed: 0,
        tolerance: 0,
      })),
  },
  {
    text: "Theorem B.1, proof: the third-order interaction of parity is -2",
    findings: () => [
      equal(
        "Theorem B.1",
        "parity: interaction of three agents",
        interaction(parityOf(3), [0, 1, 2]),
        -2,
        exact,
      ),
    ],
  },
  {
    text: "Theorem 4.1, proof: independent policies cannot play Agreement at its best",
    findings: () => [
      {
        where: "Theorem 4.1",
        quantity: "Agreement: best independent policies",
        computed: bestIndependentPolicy(gameOf("agreement")).value,
        relation: "<",
        printed: 1,
        tolerance: 0,
      },
    ],
  },
  {
    text: "Theorem C.1, proof: independent policies are at least 1 - 1/N from one-hot play",
    findings: ({ sizes }, rng) =>
      sizes.map((agents) => ({
        where: "Theorem C.1",
        quantity: `one-hot, N = ${agents}: least divergence`,
        computed: leastDivergence(agents, rng),
        relation: "≥",
        printed: 1 - 1 / agents,
        tolerance: exact,
      })),
  },
  {
    text: "Theorem C.1: they are at least log N from it",
    findings: ({ sizes }, rng) =>
      sizes.map((agents) => ({
        where: "Theorem C.1",
        quantity: `one-hot, N = ${agents}: least divergence`,
        computed: leastDivergence(agents, rng),
        relation: "≥",
        printed: Math.log(agents),
        tolerance: exact,
      })),
  },
  {
    text: "Theorems C.1 and 4.2: action-graph policies play one-hot without any divergence where agents see nothing",
    findings: (_, rng) => [
      // What they compute of constant observations is constant: their policies are independent ones.
      equal(
        "Theorems C.1, 4.2",
        "one-hot, N = 6, nothing seen: least divergence of AGP",
        leastDivergence(6, rng),
        0,
        exact,
      ),
    ],
  },
  {
    text: "Not in the paper: where agents share a random number they do",
    findings: () => [
      equal(
        "Theorems C.1, 4.2",
        "one-hot, N = 6, shared noise w: agent ⌊6w⌋ acts",
        sharedNoiseDivergence(6),
        0,
        exact,
      ),
    ],
  },
];

function equal(
  where: string,
  quantity: string,
  computed: number,
  printed: number,
  tolerance: number,
): Finding {
  return { where, quantity, computed, relation: "=", printed, tolerance };
}

function holds({ computed, relation, printed, tolerance }: Finding): boolean {
  switch (relation) {
    case "=":
      return Math.abs(computed - printed) <= tolerance;
    case "≤":
      return computed <= printed + tolerance;
    case "≥":
      return computed >= printed - tolerance;
    case "<":
      return computed < printed - Math.max(tolerance, exact);
    case ">":
      return computed > printed + Math.max(tolerance, exact);
  }
}

function gameOf(
  name: keyof typeof environments,
  settings: Readonly<Record<string, unknown>> = {},
): ObservationGame {
  const definition = environments[name] as EnvDefinition;
  return observationGame(configureEnv(definition, settings).factory().model!());
}

/** The two tables of the proof of Theorem 3.2: utilities of both agents, their pairwise term `[2, 2]`. */
const firstTable = { utilities: [1, 0, 2, 0], payoffs: [0, -3, -2, 0], table: [3, 0, 0, 2] };
const secondTable = { utilities: [0, 1, 0, 1], payoffs: [3, -2, -2, 0] };
const mismatch = { ...secondTable, total: sumOf(secondTable.utilities, secondTable.payoffs) };

/** Value of each joint action of two agents with two actions. */
function sumOf(utilities: readonly number[], payoffs: readonly number[]): number[] {
  return payoffs.map((payoff, a) => utilities[a >> 1] + utilities[2 + (a & 1)] + payoff);
}

const greedyIndex = (utilities: readonly number[]): number =>
  (utilities[1] > utilities[0] ? 2 : 0) + (utilities[3] > utilities[2] ? 1 : 0);

/** The joint action that max-plus finds; it averages over the two agents, and over one edge. */
function maxPlusIndex(utilities: readonly number[], payoffs: readonly number[]): number {
  const joint = new Int32Array(2);
  const values = {
    utilities: Float32Array.from(utilities, (value) => 2 * value),
    payoffs: Float32Array.from(payoffs),
  };
  maxPlus(parseCoordinationGraph("line", 2), 2)(values, 1, joint);
  return 2 * joint[0] + joint[1];
}

/** Largest error of the least-squares fit of a table of agents with two actions by functions of `order` agents. */
function worstError(values: readonly number[], order: number): number {
  const fit = leastSquaresFit(new Array(Math.log2(values.length)).fill(2), values, order);
  return fit.reduce((worst, fitted, a) => Math.max(worst, Math.abs(values[a] - fitted)), 0);
}

const parityOf = (agents: number): number[] => [...gameOf("parity", { agents }).reward];

/** The least divergence of independent agents from one-hot play, by gradient descent from random rates. */
function leastDivergence(agents: number, rng: Rng): number {
  const stream = rng.split(`divergence/${agents}`);
  const logOdds = Float64Array.from({ length: agents }, () => stream.normal());
  const rates = () => logOdds.map((z) => 1 / (1 + Math.exp(-z)));
  for (let step = 0; step < 5000; step++) {
    // The derivative by the log-odds of p_i is p_i - 1/N.
    rates().forEach((rate, i) => {
      logOdds[i] -= 3 * (rate - 1 / agents);
    });
  }
  return oneHotDivergence(rates());
}

/** Divergence of one-hot play from the rule "agent `floor(N w)` acts" with `w` uniform, counted over a grid of `w`. */
function sharedNoiseDivergence(agents: number): number {
  const cells = 1000 * agents;
  const counts = new Array(agents).fill(0);
  for (let cell = 0; cell < cells; cell++) counts[Math.floor((agents * (cell + 0.5)) / cells)]++;
  return counts.reduce((sum, count) => sum - Math.log((agents * count) / cells) / agents, 0);
}

const claims: readonly TableClaim[] = statements.map(({ text }) => ({
  text,
  check: (rows) =>
    rows
      .filter((row) => row.statement === text)
      .map((row) => ({
        holds: row.holds === "yes",
        evidence: `${row.quantity}: ${fiveDigits(Number(row.computed))} ${row.paper}`,
      })),
}));

const fiveDigits = (value: number): string =>
  Math.abs(value) < 1e-9 ? "0" : String(Number(value.toPrecision(5)));

const theory = table("agp/theory", {
  title: "Theorems on action-graph policies, computed",
  caption:
    "Each number that the paper's theorems and their proofs speak of, computed. computed: by enumeration of all deterministic " +
    "policies, exact integration and best responses from many starts (Top-K), least squares, or numerical minimisation. paper " +
    "says: how that number should lie to the printed one. What an action-graph policy adds to independent ones is a function " +
    "of all observations together, which is constant where there is nothing to see.",
  columns: [
    { key: "where", label: "where" },
    { key: "quantity", label: "quantity" },
    { key: "computed", label: "computed", show: fiveDigits },
    { key: "paper", label: "paper says" },
    { key: "holds", label: "holds" },
  ],
  efforts: {
    smoke: "few starts, N up to 6",
    quick: "17 climbs, N up to 10",
    paper: "101 climbs, N up to 50",
  },
  async rows(scale, rng) {
    return statements.flatMap((statement) =>
      statement.findings(efforts[scale], rng).map((finding): Row => {
        const { where, quantity, computed, relation, printed } = finding;
        return {
          statement: statement.text,
          where,
          quantity,
          computed,
          printed,
          relation,
          paper: `${relation} ${fiveDigits(printed)}`,
          holds: holds(finding) ? "yes" : "no",
        };
      }),
    );
  },
  claims,
});

/** Gupta et al. 2026, "Action-graph policies: learning action co-dependencies in multi-agent reinforcement learning". */
export const agpTheory = [theory] as const;
