// The house: a room imports only rooms on lower floors (see CONTRIBUTING.md).
const core = [
  ["structure", "random"],
  ["tensor", "envs", "stats"],
  ["tabular", "models", "learn"],
  ["training"],
  ["algorithms"],
];
const lab = [["runs", "plot"], ["scheduler", "server"], ["papers", "bench"], ["cli"]];

/** One rule per room: nothing on its own floor or above may be imported. */
const floors = (wing, rooms) =>
  rooms.flatMap((floor, height) =>
    floor.map((room) => ({
      name: `${wing}-${room}-imports-only-downward`,
      severity: "error",
      from: { path: `^packages/${wing}/src/${room}/` },
      to: {
        path: `^packages/${wing}/src/(${
          rooms
            .slice(height)
            .flat()
            .filter((other) => other !== room)
            .join("|") || "none"
        })/`,
      },
    })),
  );

module.exports = {
  forbidden: [
    ...floors("core", core),
    ...floors("lab", lab),
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    {
      name: "every-folder-is-a-room",
      severity: "error",
      from: {
        path: "^packages/(core|lab)/src/[^/]+/",
        pathNot: `^packages/(core/src/(${core.flat().join("|")})|lab/src/(${lab.flat().join("|")}))/`,
      },
      to: {},
    },
    {
      name: "core-runs-anywhere",
      comment: "the core library uses no Node built-in",
      severity: "error",
      from: { path: "^packages/core/src", pathNot: "\\.test\\.ts$" },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "core-knows-no-lab",
      severity: "error",
      from: { path: "^packages/core" },
      to: { path: "^packages/(lab|studio)" },
    },
    {
      name: "wings-meet-at-the-door",
      comment: "another wing is reached only through a room's public index",
      severity: "error",
      from: { path: "^packages/lab" },
      to: {
        path: "^packages/core/src/",
        pathNot: ["^packages/core/src/(errors|index)\\.ts$", "^packages/core/src/[^/]+/index\\.ts$"],
      },
    },
    {
      name: "rooms-meet-at-the-door",
      comment: "another room of the core is reached only through its index",
      severity: "error",
      from: { path: "^packages/(core|lab)/src/([^/]+)/", pathNot: "\\.test\\.ts$" },
      to: {
        path: "^packages/$1/src/[^/]+/",
        pathNot: ["^packages/$1/src/$2/", "^packages/$1/src/[^/]+/index\\.ts$"],
      },
    },
    { name: "resolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["corral-source", "import", "require", "node", "default", "types"],
    },
    doNotFollow: { path: "node_modules" },
  },
};
