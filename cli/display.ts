import type { Logger } from "../lambdas/runtime/logger.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { createProgressLine, type ProgressLine } from "./progress-line.ts";
import { createStderrLogger, holdBack } from "./stderr-logger.ts";
import { type Terminal, writeLine } from "./terminal.ts";

/** What a command shows on standard error while it is at work. */
export interface Display {
  /** A live line; undefined where nobody watches, or where it was not asked for. */
  readonly line: ProgressLine | undefined;
  /** Keeps quiet while the line is shown, so that nothing tears it apart. */
  readonly logger: Logger;
  /** Takes the line away and writes what was held back. May be called again. */
  stop(): void;
}

/** @param isLive whether a live line is wanted, should a person watch. */
export function openDisplay(terminal: Pick<Terminal, "stderr" | "clock" | "interactive">, isLive: boolean): Display {
  const logger = createStderrLogger(terminal.stderr, terminal.clock);
  if (!isLive || !terminal.interactive) return { line: undefined, logger, stop: () => undefined };
  const line = createProgressLine(terminal);
  const held = holdBack(logger, () => line.isActive);
  return {
    line,
    logger: held,
    stop() {
      line.stop();
      held.release();
    },
  };
}

/**
 * Ends the process on Ctrl-C, after telling what that means at the moment.
 * @returns sets what is told from then on, a line each.
 */
export function tellOnInterrupt(
  terminal: Terminal,
  display: Display,
  meaning: string,
): (...lines: readonly string[]) => void {
  let told: readonly string[] = [meaning];
  void terminal.interrupted().then(() => {
    display.stop();
    for (const line of told) writeLine(terminal.stderr, `asx: ${line}`);
    terminal.quit(EXIT_CODES.interrupted);
  });
  return (...lines) => {
    told = lines;
  };
}
