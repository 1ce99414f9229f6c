import { MultiBar, type SingleBar } from "cli-progress";
import pc from "picocolors";

/** Lines of progress on stderr: one for the whole, and one for each part that is being worked on. */
export interface ProgressLines {
  /** @param share of the work that is done, in [0, 1] */
  whole(share: number, text: string): void;
  /** The line of one part; it appears with its first report. */
  part(key: number, share: number, text: string): void;
  endPart(key: number): void;
  /** A line of its own that stays. */
  note(message: string): void;
  /** Removes the lines; notes stay. */
  stop(): void;
}

/** Parts shown at a time; the others are only counted. */
const mostParts = 8;
/** Milliseconds between two lines where there is no terminal. */
const logInterval = 10_000;

export function createProgress(): ProgressLines {
  return process.stderr.isTTY ? barsOnTerminal() : linesInLog();
}

interface Payload {
  readonly share: number;
  readonly text: string;
  readonly width: number;
}

function barsOnTerminal(): ProgressLines {
  const bars = new MultiBar({
    format: (_options, _params, payload: Payload) =>
      `  ${drawBar(payload.share, payload.width)} ${percent(payload.share)}  ${payload.text}`,
    hideCursor: true,
    clearOnComplete: true,
    forceRedraw: true,
    gracefulExit: false,
    fps: 8,
    stream: process.stderr,
  });
  let total: SingleBar | undefined;
  const parts = new Map<number, SingleBar>();
  return {
    whole(share, text) {
      const payload: Payload = { share, text, width: 24 };
      if (total === undefined) total = bars.create(1, 0, payload);
      else total.update(share, payload);
    },
    part(key, share, text) {
      const payload: Payload = { share, text: pc.dim(text), width: 12 };
      const bar = parts.get(key);
      if (bar !== undefined) bar.update(share, payload);
      else if (parts.size < mostParts) parts.set(key, bars.create(1, 0, payload));
    },
    endPart(key) {
      const bar = parts.get(key);
      if (bar !== undefined) bars.remove(bar);
      parts.delete(key);
    },
    note(message) {
      if (total === undefined) process.stderr.write(`  ${message}\n`);
      else bars.log(`  ${message}\n`);
    },
    stop() {
      if (total === undefined) return;
      // What was noted since the last drawing.
      bars.update();
      bars.stop();
      total = undefined;
    },
  };
}

function linesInLog(): ProgressLines {
  let printed = Date.now();
  return {
    whole(share, text) {
      if (Date.now() - printed < logInterval) return;
      printed = Date.now();
      process.stderr.write(`  ${percent(share)}  ${text}\n`);
    },
    part() {},
    endPart() {},
    note: (message) => void process.stderr.write(`  ${message}\n`),
    stop() {},
  };
}

const percent = (share: number): string => `${String(Math.floor(100 * share)).padStart(3)} %`;

function drawBar(share: number, width: number): string {
  const full = Math.min(width, Math.max(0, Math.round(share * width)));
  return `${pc.cyan("█".repeat(full))}${pc.dim("░".repeat(width - full))}`;
}
