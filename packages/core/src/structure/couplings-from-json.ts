import { InputError, unknownName } from "../errors.ts";
import { type CouplingEdge, type CouplingGraphs, couplingGraphs, couplingKinds } from "./coupling-graphs.ts";
import { checkAgents } from "./dag.ts";

type Fields = Readonly<Record<string, unknown>>;

/**
 * Couplings from JSON: `{"agents": 6, "state": [[3, 2]], "observation": [[0, 2]], "reward": []}` with edges `[from, to]`,
 * where absent graphs have no edges. Couplings that change give the graphs of each time step `t = 0, 1, ...` instead, as in
 * `{"agents": 6, "steps": [{"state": [[3, 2]]}, {"reward": [[0, 1]]}]}`.
 *
 * @throws InputError when something else is given; the message names the key, the edge and the step
 */
export function couplingsFromJson(json: unknown): CouplingGraphs | readonly CouplingGraphs[] {
  const fields = fieldsOf("couplings", json, ["agents", ...couplingKinds, "steps"]);
  const { agents, steps } = fields;
  if (typeof agents !== "number") {
    throw new InputError(`agents: got ${shown(agents)}, expected a positive integer`);
  }
  checkAgents(agents);
  if (steps === undefined) return graphsOf(agents, fields);
  const beside = couplingKinds.find((kind) => Object.hasOwn(fields, kind));
  if (beside !== undefined) {
    throw new InputError(`couplings: got "${beside}" beside "steps", expected it inside the steps`);
  }
  if (!Array.isArray(steps) || steps.length === 0) {
    throw new InputError(`steps: got ${shown(steps)}, expected a list of at least one step`);
  }
  return steps.map((step: unknown, t) => {
    try {
      return graphsOf(agents, fieldsOf("step", step, couplingKinds));
    } catch (error) {
      if (error instanceof InputError) throw new InputError(`at step ${t}: ${error.message}`);
      throw error;
    }
  });
}

function graphsOf(agents: number, fields: Fields): CouplingGraphs {
  const edges = couplingKinds.map((kind) => {
    const list = fields[kind] ?? [];
    if (!Array.isArray(list)) {
      throw new InputError(`${kind}: got ${shown(list)}, expected a list of edges such as [[0, 1], [2, 1]]`);
    }
    for (const edge of list as unknown[]) {
      if (Array.isArray(edge) && edge.length === 2 && edge.every((agent) => typeof agent === "number"))
        continue;
      throw new InputError(`${kind}: got ${shown(edge)} as an edge, expected [from, to] such as [0, 1]`);
    }
    return [kind, list as CouplingEdge[]] as const;
  });
  return couplingGraphs(agents, Object.fromEntries(edges));
}

function fieldsOf(what: string, json: unknown, keys: readonly string[]): Fields {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new InputError(`${what}: got ${shown(json)}, expected an object with ${keys.join(", ")}`);
  }
  for (const key of Object.keys(json)) if (!keys.includes(key)) throw unknownName(`${what} key`, key, keys);
  return json as Fields;
}

function shown(value: unknown): string {
  const text = value === undefined ? "nothing" : JSON.stringify(value);
  return text.length > 40 ? `${text.slice(0, 37)}...` : text;
}
