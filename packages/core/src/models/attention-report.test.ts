import { expect, test } from "vitest";
import { actionGraph } from "../structure/index.ts";
import { attentionCsv, attentionReport } from "./attention-report.ts";

const pair = actionGraph([2, 1]);

/** Two samples of one layer with two heads among the three nodes of two agents. */
const weights = Float32Array.of(
  // Sample 0, head 0: each node attends to itself.
  ...[1, 0, 0, 0, 1, 0, 0, 0, 1],
  // Sample 0, head 1: all attend to the other agent's first node.
  ...[0, 0, 1, 0, 0, 1, 1, 0, 0],
  // Sample 1, head 0: half to the own node, half to the last or the first.
  ...[0.5, 0, 0.5, 0, 0.5, 0.5, 0.5, 0, 0.5],
  // Sample 1, head 1: as before.
  ...[0, 0, 1, 0, 0, 1, 1, 0, 0],
);

test("averages over samples and heads, and what goes across agents", () => {
  const { labels, samples, layers } = attentionReport(pair, [weights], 2);
  expect(labels).toEqual(["agent 0: act 0", "agent 0: act 1", "agent 1: act 0"]);
  expect(samples).toBe(2);
  const [{ heads, mean }] = layers;
  expect(heads[0].weights).toEqual([
    [0.75, 0, 0.25],
    [0, 0.75, 0.25],
    [0.25, 0, 0.75],
  ]);
  expect(heads[0].crossAgent).toBe(0.25);
  expect(heads[0].sameAgent).toBe(0.75);
  // Rows of action 0 are nodes 0 and 2, each with a quarter on the other's action 0; the row of action 1 is node 1.
  expect(heads[0].crossAgentByAction).toEqual([
    [0.25, 0],
    [0.25, 0],
  ]);
  const entropy = -(0.75 * Math.log(0.75) + 0.25 * Math.log(0.25)) / Math.log(3);
  expect(heads[0].entropy).toBeCloseTo(entropy, 12);
  expect(heads[1]).toMatchObject({ crossAgent: 1, sameAgent: 0, entropy: 0 });
  expect(mean.weights[1]).toEqual([0, 0.375, 0.625]);
  expect(mean.crossAgent).toBe(0.625);
});

test("rows of unavailable nodes are left out", () => {
  // Agent 0's second action is never available, its first not in sample 0.
  const available = Float32Array.of(0, 0, 1, 0, 1, 0, 1, 0);
  const [{ heads }] = attentionReport(pair, [weights], 2, available).layers;
  expect(heads[0].weights).toEqual([
    [0.5, 0, 0.5],
    [0, 0, 0],
    [0.25, 0, 0.75],
  ]);
  expect(heads[0].crossAgent).toBe((0.5 + 0.25) / 2);
  expect(heads[0].crossAgentByAction).toEqual([
    [0.375, 0],
    [0, 0],
  ]);
});

test("even attention has an entropy of 1, and a single node one of 0", () => {
  const even = new Float32Array(9).fill(1 / 3);
  expect(attentionReport(pair, [even], 1).layers[0].mean.entropy).toBeCloseTo(1, 6);
  expect(attentionReport(actionGraph([1]), [Float32Array.of(1)], 1).layers[0].mean.entropy).toBe(0);
});

test("as JSON and as CSV", () => {
  const report = attentionReport(pair, [weights, weights], 2);
  expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  const lines = attentionCsv(report).trimEnd().split("\n");
  expect(lines).toHaveLength(1 + 2 * 3 * 9);
  expect(lines.slice(0, 2)).toEqual(["layer,head,from,to,weight", "0,0,agent 0: act 0,agent 0: act 0,0.75"]);
  expect(lines.at(-1)).toBe("1,mean,agent 1: act 0,agent 1: act 0,0.375");
});

test("refuses weights and masks that do not fit", () => {
  expect(() => attentionReport(pair, [weights], 5)).toThrow(
    "attention of layer 0: got 36 weights, expected a multiple of 45 (5 samples, 3 nodes)",
  );
  expect(() => attentionReport(pair, [weights], 2, new Float32Array(4))).toThrow(
    "attention: got 4 available actions, expected 2 samples of 2 agents and 3 nodes",
  );
});
