import type { ActionSpace, EnvSpec } from "./env.ts";

/** How what an environment says of itself contradicts itself, or undefined when it does not. */
export function specProblem(spec: EnvSpec): string | undefined {
  if (typeof spec.id !== "string" || spec.id === "") return "id is not a non-empty string";
  for (const key of ["version", "agents", "observationSize", "stateSize", "horizon"] as const) {
    const least = key === "stateSize" || key === "observationSize" ? 0 : 1;
    if (!Number.isInteger(spec[key]) || spec[key] < least) {
      return `${key} is ${spec[key]}, expected an integer of at least ${least}`;
    }
  }
  if (spec.actions.length !== spec.agents) {
    return `${spec.actions.length} action spaces for ${spec.agents} agents`;
  }
  for (const [i, space] of spec.actions.entries()) {
    if (!isActionSpace(space)) return `action space of agent ${i} is ${JSON.stringify(space)}`;
  }
  for (const key of ["observationSizes", "stateSizes"] as const) {
    const sizes = spec[key];
    if (sizes === undefined) continue;
    if (sizes.length !== spec.agents) return `${key} has ${sizes.length} entries for ${spec.agents} agents`;
    const wrong = sizes.findIndex((size) => !Number.isInteger(size) || size < 0);
    if (wrong >= 0) return `${key}: entry ${wrong} is ${sizes[wrong]}, expected an integer of at least 0`;
  }
  const { observationSize, observationSizes = [], stateSize, stateSizes = [stateSize] } = spec;
  const large = observationSizes.findIndex((size) => size > observationSize);
  if (large >= 0) {
    return `observationSizes: entry ${large} is ${observationSizes[large]}, more than observationSize ${observationSize}`;
  }
  const total = stateSizes.reduce((sum, size) => sum + size, 0);
  if (total !== stateSize) return `stateSizes sum to ${total}, expected stateSize ${stateSize}`;
  if (spec.rewards !== "team" && spec.rewards !== "individual") return `rewards is ${spec.rewards}`;
  if (typeof spec.sharedObservation !== "boolean") return "sharedObservation is not true or false";
  if (spec.success !== undefined && (typeof spec.success !== "string" || spec.success === "")) {
    return "success is not a non-empty string";
  }
  const { sides } = spec;
  if (sides?.some((side, k) => !/^[a-z0-9-]+$/.test(side) || sides.indexOf(side) < k)) {
    return `sides are ${JSON.stringify(sides)}, expected different names such as "good-agents"`;
  }
  return undefined;
}

function isActionSpace(space: ActionSpace): boolean {
  switch (space.kind) {
    case "discrete":
      return Number.isInteger(space.n) && space.n >= 1;
    case "box":
      return Number.isInteger(space.size) && space.size >= 1 && space.low < space.high;
    case "simplex":
      return Number.isInteger(space.size) && space.size >= 1;
    default:
      return false;
  }
}
