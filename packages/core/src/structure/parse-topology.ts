import { InputError, unknownName } from "../errors.ts";
import { checkAgents, type Dag, type Edge, fromEdges } from "./dag.ts";
import { partitionDag, topologies } from "./topologies.ts";

/**
 * The DAG that a text describes: a name of `topologies`, block sizes such as `2+3`, or edges such as
 * `edges:0>1,1>2` (agent 1 reads agent 0).
 *
 * @throws InputError naming the text, what was expected and the nearest valid choice
 */
export function parseTopology(text: string, agents: number): Dag {
  checkAgents(agents);
  if (Object.hasOwn(topologies, text)) return topologies[text as keyof typeof topologies](agents);
  if (/^[\d+-]/.test(text)) return parseBlocks(text, agents);
  if (text.startsWith("edges:")) return parseEdges(text, agents);
  throw unknownName("topology", text, [
    ...Object.keys(topologies),
    agents === 1 ? "1" : evenBlocks(agents, 2),
    "edges:0>1,1>2",
  ]);
}

function parseBlocks(text: string, agents: number): Dag {
  if (!/^\d+(\+\d+)*$/.test(text)) {
    throw new InputError(
      `topology "${text}": expected block sizes joined by +, for example ${evenBlocks(agents, 2)}`,
    );
  }
  const sizes = text.split("+").map(Number);
  const example = evenBlocks(agents, sizes.length);
  if (sizes.includes(0)) {
    throw new InputError(
      `topology "${text}": got an empty block, expected sizes of at least 1, for example ${example}`,
    );
  }
  const sum = sizes.reduce((a, b) => a + b, 0);
  if (sum !== agents) {
    throw new InputError(
      `topology "${text}": block sizes sum to ${sum}, expected ${agents} (one for each agent), for example ${example}`,
    );
  }
  return partitionDag(sizes);
}

function parseEdges(text: string, agents: number): Dag {
  const list: Edge[] = [];
  for (const part of text.slice("edges:".length).split(",")) {
    const match = /^(\d+)>(\d+)$/.exec(part);
    if (match === null) {
      const hint = part === "" ? `; for no edges use "product"` : "";
      throw new InputError(
        `topology "${text}": got "${part}" as an edge, expected parent>child such as 0>1${hint}`,
      );
    }
    list.push([Number(match[1]), Number(match[2])]);
  }
  try {
    return fromEdges(agents, list);
  } catch (error) {
    if (error instanceof InputError) throw new InputError(`topology "${text}": ${error.message}`);
    throw error;
  }
}

/** The agents cut into `blocks` nearly equal blocks, smaller ones first, as text. */
function evenBlocks(agents: number, blocks: number): string {
  const count = Math.min(blocks, agents);
  const sizes: number[] = [];
  for (let k = 0; k < count; k++) {
    sizes.push(Math.floor(((k + 1) * agents) / count) - Math.floor((k * agents) / count));
  }
  return sizes.join("+");
}
