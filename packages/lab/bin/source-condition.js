// How modules are found: in a clone, packages of the workspace resolve to their TypeScript sources; anywhere, a
// user's module finds corral and zod even in a folder where nothing is installed.

let added = ["corral-source"];

export function initialize(data) {
  added = data?.conditions ?? added;
}

const shared = /^(corral|zod)(\/|$)/;

export async function resolve(specifier, context, next) {
  const here = { ...context, conditions: [...added, ...context.conditions] };
  let found;
  try {
    found = await next(specifier, here);
  } catch (error) {
    if (!shared.test(specifier)) throw error;
    found = await next(specifier, { ...here, parentURL: import.meta.url });
  }
  // A TypeScript file in a folder without a package.json would count as CommonJS.
  return /\.ts$/.test(found.url) && found.format !== "module" ? { ...found, format: "module" } : found;
}
