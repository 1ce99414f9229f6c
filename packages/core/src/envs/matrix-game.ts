import { z } from "zod";
import { defineEnv } from "./definition.ts";
import type { Env, JointAction, JsonValue, Scene } from "./env.ts";
import { createOneStepGame } from "./one-step-game.ts";

const configSchema = z
  .strictObject({
    payoff: z
      .array(z.json())
      .default([
        [3, -1],
        [-1, 2],
      ])
      .describe(
        "What each joint action pays: nested lists, agent 0 outermost, or one flat list in that order",
      ),
    actions: z
      .array(z.int().min(1))
      .min(1)
      .optional()
      .describe("Number of actions of each agent, which a flat list needs"),
  })
  .superRefine((config, { addIssue }) => {
    const message = problemOf(config);
    if (message !== undefined) addIssue({ code: "custom", path: ["payoff"], message });
  });

type MatrixGameConfig = z.output<typeof configSchema>;

/**
 * A matrix game of any number of agents: the team earns what a table says of their joint action. The default is the
 * value table of AGP's Theorem 3.2.
 *
 * Observation of every agent, and the state: 0.
 */
export const matrixGame = defineEnv({
  name: "matrix-game",
  description: "Agents are paid what a table says of their joint action; they see nothing.",
  config: configSchema,
  create: createMatrixGame,
});

function createMatrixGame(config: MatrixGameConfig): Env {
  const actions = config.actions ?? sizesOf(config.payoff);
  // Joint actions are counted with agent 0 as the most significant digit, which is the order of the nested lists.
  const payoff = Float64Array.from(
    (config.payoff as readonly unknown[]).flat(Number.POSITIVE_INFINITY) as number[],
  );
  const most = payoff.reduce((best, pays) => Math.max(best, pays));
  return createOneStepGame({
    id: "matrix-game",
    actions,
    success: `the reward is the largest of the table, ${most}`,
    play(_, chosen, conclude) {
      let index = 0;
      for (let i = 0; i < actions.length; i++) index = index * actions[i] + chosen[i];
      return conclude(payoff[index], payoff[index] === most);
    },
    ...(actions.length === 2 ? { picture: (_, chosen) => table(payoff, actions, chosen) } : {}),
  });
}

/** Lengths of nested lists, the outermost first, as the first entry of each list has them. */
function sizesOf(payoff: JsonValue): number[] {
  return Array.isArray(payoff) ? [payoff.length, ...sizesOf(payoff[0])] : [];
}

/** What is wrong with a table, in words that continue "matrix-game.payoff: ". */
function problemOf({ payoff, actions }: MatrixGameConfig): string | undefined {
  const sizes = sizesOf(payoff);
  if (actions === undefined && sizes.length === 1) {
    return "expected lists inside lists, one level for each agent, or actions=[2,2] or the like beside a flat list";
  }
  if (actions !== undefined && sizes.length === 1) {
    const size = actions.reduce((product, n) => product * n, 1);
    const expected = actions.length === 1 ? String(size) : `${actions.join(" x ")} = ${size}`;
    if (payoff.length !== size)
      return `expected ${expected} numbers, one for each joint action, not ${payoff.length}`;
  } else if (actions !== undefined && sizes.join() !== actions.join()) {
    return `expected the sizes ${actions.join(" x ")} that actions says, not ${sizes.join(" x ")}`;
  }
  return unevenness(payoff, sizes, "");
}

/** Where nested lists stray from these sizes, or hold something other than numbers. */
function unevenness(entry: JsonValue, sizes: readonly number[], place: string): string | undefined {
  const where = place === "" ? "" : ` at ${place}`;
  if (sizes.length === 0) {
    return typeof entry === "number" ? undefined : `expected a number${where}, not ${JSON.stringify(entry)}`;
  }
  const [size, ...inner] = sizes;
  if (size === 0) return `expected a list of at least one entry${where}`;
  if (!Array.isArray(entry) || entry.length !== size) {
    const found = Array.isArray(entry) ? `of ${entry.length}` : JSON.stringify(entry);
    return `expected a list of ${size}${where}, as elsewhere in the table, not ${found}`;
  }
  for (const [k, part] of entry.entries()) {
    const problem = unevenness(part, inner, `${place}[${k}]`);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** Payoffs of two agents, agent 0 choosing the row, with what was chosen in another colour. */
function table(
  payoff: Float64Array,
  [rows, columns]: readonly number[],
  chosen: JointAction | undefined,
): Omit<Scene, "caption"> {
  const index = chosen === undefined ? -1 : chosen[0] * columns + chosen[1];
  const shapes = Array.from(payoff, (pays, k) => ({
    kind: "rectangle" as const,
    x: k % columns,
    y: Math.floor(k / columns),
    width: 1,
    height: 1,
    fill: k === index ? "#f59e0b" : "#f1f5f9",
    stroke: "#94a3b8",
    label: String(pays),
  }));
  return { width: columns, height: rows, shapes };
}
