// Module resolution in a clone: packages of the workspace resolve to their TypeScript sources.
export const resolve = (specifier, context, next) =>
  next(specifier, { ...context, conditions: ["corral-source", ...context.conditions] });
