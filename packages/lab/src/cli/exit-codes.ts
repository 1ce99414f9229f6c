/** What the process's exit code says. */
export const exitCodes = {
  done: 0,
  /** The work was done and the answer is no: a check failed, a run of a figure could not be finished. */
  failed: 1,
  /** Something that was given is not valid, the disk refuses, or the settings made a loss or gradient infinite. */
  badInput: 2,
  /** A defect of corral itself. */
  unexpected: 70,
  /** Ctrl-C; everything can be resumed. */
  interrupted: 130,
} as const;
