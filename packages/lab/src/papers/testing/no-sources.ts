import type { TableSources } from "../table.ts";

/** For tables that are computed: to train or to look at a clock is an error. */
export const noSources: TableSources = {
  executor: { execute: () => Promise.reject(new Error("a table that is computed trained runs")) },
  now() {
    throw new Error("a table that is computed looked at the clock");
  },
};
