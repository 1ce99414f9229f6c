import { setImmediate as turn } from "node:timers/promises";
import type { FiniteGame } from "corral/envs";
import { InputError } from "corral/errors";
import { createRng } from "corral/random";
import { type Dag, edges, parseTopology } from "corral/structure";
import {
  ascendToLevel,
  type Certificate,
  certify,
  createAscent,
  exactSoftmaxPolicy,
  gaussianTheta,
  practicalStepSize,
  stationarityLevel,
  thetaFromNested,
  thetaLayout,
} from "corral/tabular";
import pc from "picocolors";
import { writeFileAtomic } from "../../runs/index.ts";
import { eta } from "../../scheduler/index.ts";
import type { CommonOptions, Context } from "../context.ts";
import { findGame } from "../find-game.ts";
import { hashJson } from "../hash-json.ts";
import { brief, duration, grouped, paragraph, printJson, shellCommand, table } from "../output.ts";
import { createProgress } from "../progress.ts";
import { readJson } from "../read-json.ts";

interface CertifyOptions extends CommonOptions {
  readonly dag: string;
  readonly lambda: number;
  readonly theta?: string;
  readonly seed?: number | string;
  readonly steps?: number;
  readonly out: string;
}

/** Steps without a barrier, as in the papers' figures: there is no level to reach. */
const STEPS_WITHOUT_BARRIER = 2000;
const STEPS_WITH_BARRIER = 100_000;
/** Milliseconds of ascent between two looks at progress. */
const SLICE = 100;

/** `corral certify`. */
export async function certifyGame(
  context: Context,
  nameOrPath: string,
  words: readonly string[],
  options: CertifyOptions,
): Promise<void> {
  const { lambda, theta: file, out, json } = options;
  if (file !== undefined && (options.seed !== undefined || options.steps !== undefined)) {
    throw new InputError("--theta gives the parameters, expected neither --seed nor --steps beside it");
  }
  const { title, game } = await findGame(nameOrPath, words, context);
  const dag = parseTopology(options.dag, game.actions.length);
  const layout = thetaLayout(game, dag);
  const { theta, remark } =
    file === undefined
      ? await ascend(game, dag, options)
      : { theta: thetaFromNested(layout, readJson(file)), remark: `parameters of ${file}` };
  const certificate = await certify(game, dag, theta, lambda, hashJson);
  writeFileAtomic(out, fileText(certificate));
  if (json) return printJson(certificate);
  const joined = edges(dag).map(([parent, child]) => `${parent}>${child}`);
  console.log(
    `${pc.bold(title)}: ${game.actions.length} agents, ${grouped(game.states)} states, discount ${game.discount}; ` +
      `DAG ${options.dag}${joined.length > 0 ? ` (${joined.join(", ")})` : ""}; λ = ${brief(lambda)}\n${remark}\n`,
  );
  console.log(describe(certificate, dag));
  console.log(`\n  certificate  ${out}\n  check it     ${shellCommand("verify", out)}`);
}

/** One line for each key, so that the file can be looked at. */
function fileText(certificate: Certificate): string {
  const lines = Object.entries(certificate).map(
    ([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`,
  );
  return `{\n${lines.join(",\n")}\n}\n`;
}

interface Ascended {
  readonly theta: Float64Array;
  /** How it ended. */
  readonly remark: string;
}

async function ascend(
  game: FiniteGame,
  dag: Dag,
  { lambda, seed, steps = lambda > 0 ? STEPS_WITH_BARRIER : STEPS_WITHOUT_BARRIER }: CertifyOptions,
): Promise<Ascended> {
  const layout = thetaLayout(game, dag);
  const start =
    seed === undefined
      ? new Float64Array(layout.size)
      : gaussianTheta(layout, createRng(seed).split("start"));
  const from = seed === undefined ? "zero" : `normal parameters of seed ${seed}`;
  const stepSize = practicalStepSize(game.actions.length);
  const progress = createProgress();
  const since = Date.now();
  const show = (share: number, text: string) => {
    const left = eta({ done: share, total: 1, resumed: 0, since }, Date.now());
    progress.whole(share, left === undefined ? text : `${duration(left)} left${pc.dim(" · ")}${text}`);
  };
  try {
    if (lambda === 0) {
      const ascent = createAscent(game, dag, [start], { stepSize, iterations: steps });
      const slice = Math.max(1, Math.floor(steps / 200));
      for (let taken = slice; ascent.advance(slice); taken += slice) {
        show(taken / steps, `step ${grouped(taken)} of ${grouped(steps)}`);
        await turn();
      }
      return {
        theta: Float64Array.from(ascent.states()[0].theta),
        remark: `after ${grouped(steps)} steps of size ${brief(stepSize)} from ${from}; without a barrier there is no level to reach`,
      };
    }
    const level = stationarityLevel(game, lambda);
    const policy = exactSoftmaxPolicy(game, dag);
    const ascent = ascendToLevel(policy, start, { lambda, level, steps, stepSize });
    let standing = ascent.next();
    const first = standing.value.gradientNorm;
    for (let shown = since; !standing.done; standing = ascent.next()) {
      if (Date.now() - shown < SLICE) continue;
      shown = Date.now();
      const { steps: taken, gradientNorm } = standing.value;
      const nearer = Math.log(first / gradientNorm) / Math.log(first / level);
      show(
        Math.min(1, Math.max(taken / steps, nearer)),
        `gradient ${brief(gradientNorm)}, τ = ${brief(level)}${pc.dim(" · ")}step ${grouped(taken)}`,
      );
      await turn();
    }
    const { theta, steps: taken, gradientNorm, reached } = standing.value;
    const remark = reached
      ? `τ reached after ${grouped(taken)} steps from ${from}`
      : pc.yellow(
          `τ was not reached in ${grouped(taken)} steps from ${from}: the gradient is ${brief(gradientNorm)}, τ is ${brief(level)}`,
        );
    return { theta, remark };
  } finally {
    progress.stop();
  }
}

/** What the certificate says, for reading. */
function describe(certificate: Certificate, dag: Dag): string {
  const { value, optimalValue, optimalityGap, suboptimality, gradientNorm, stationarityLevel, mismatch } =
    certificate;
  const numbers = table(
    ["", "", ""],
    [
      ["value V", brief(value), ""],
      ["optimal value V*", brief(optimalValue), ""],
      ["optimality gap V* - V", brief(optimalityGap), ""],
      ["suboptimality 1 - V / V*", brief(suboptimality), ""],
      [
        "equilibrium gap",
        brief(Math.max(...certificate.equilibriumGap)),
        "the most that one agent gains alone",
      ],
      ["gradient norm", brief(gradientNorm), `τ = ${brief(stationarityLevel)}`],
      ["mismatch M", brief(mismatch ?? Number.POSITIVE_INFINITY), ""],
    ],
    [1],
  );
  const agents = table(
    ["agent", "parents", "gap", "gap, parents unseen"],
    dag.parents.map((own, i) => [
      String(i),
      own.length === 0 ? "-" : [...own].join(", "),
      brief(certificate.equilibriumGap[i]),
      brief(certificate.gapUnconditional[i]),
    ]),
    [2, 3],
  );
  const { lemma2, lemma3Subteams, lemma3BnRates } = certificate.bounds;
  const bounds = table(
    ["bound", "measured", "printed", "corrected", ""],
    (
      [
        ["Lemma 2: equilibrium gap", lemma2],
        ["Lemma 3 of Subteams: V* - V", lemma3Subteams],
        ["Lemma 3 of BN-rates: V* - V", lemma3BnRates],
      ] as const
    ).map(([name, bound]) => [
      name,
      brief(bound.measured),
      brief(bound.printed),
      brief(bound.corrected),
      verdict(bound),
    ]),
    [1, 2, 3],
  );
  const { unvisitedStates: unvisited } = certificate;
  const listed = unvisited.length > 10 ? `${unvisited.slice(0, 10).join(", ")}, ...` : unvisited.join(", ");
  const note =
    unvisited.length === 0
      ? []
      : [
          pc.yellow(
            paragraph(
              `Some policies never visit states ${listed}: M is infinite, and the lemmas, which assume visits of every state under every policy, say nothing.`,
              2,
            ),
          ),
        ];
  return [numbers.split("\n").slice(1).join("\n"), agents, bounds, ...note].join("\n\n");
}

/** What each premise asks for, where it is not met. */
const unmet: Readonly<Record<string, string>> = {
  barrier: "λ is 0",
  stationary: "the gradient is above τ",
  everyStateVisited: "M is infinite",
  subteams: "the DAG is not made of subteams",
  fullDag: "the DAG is not full",
};

function verdict({ premises, holds }: Certificate["bounds"]["lemma2"]): string {
  if (Object.values(premises).every(Boolean)) {
    return holds ? `${pc.green("✔")} holds` : `${pc.red("✘")} does not hold`;
  }
  // Without a barrier there is no level that the gradient could be above.
  const missing = Object.keys(premises).filter(
    (name) => !premises[name] && (name !== "stationary" || premises.barrier),
  );
  return pc.dim(`says nothing: ${missing.map((name) => unmet[name]).join(", ")}`);
}
