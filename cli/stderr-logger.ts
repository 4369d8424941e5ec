import { messageOf } from "../domain/errors.ts";
import { printable } from "../domain/text.ts";
import type { Clock } from "../lambdas/runtime/clock.ts";
import type { LogFields, Logger } from "../lambdas/runtime/logger.ts";

/** A logger for people: one line an entry, with its instant in UTC and its fields as JSON. Debug entries are left out. */
export function createStderrLogger(stderr: NodeJS.WritableStream, clock: Clock): Logger {
  const write =
    (level: string) =>
    (message: string, fields: LogFields = {}): void => {
      const { error, ...rest } = fields;
      const details = Object.keys(rest).length > 0 ? ` ${JSON.stringify(rest)}` : "";
      stderr.write(`${new Date(clock.now()).toISOString()} ${level} ${printable(message)}${details}${causes(error)}\n`);
    };
  return { debug: () => undefined, info: write("INFO"), warn: write("WARN"), error: write("ERROR") };
}

/** A logger beside a live line, which says what else there is to say: it tells of warnings and errors only. */
export interface HeldLogger extends Logger {
  /** Writes what was held back. */
  release(): void;
}

/** The most entries that are held back; more are only counted. */
const MOST_HELD = 20;

/** Holds warnings and errors of a logger back while they would disturb. */
export function holdBack(logger: Logger, disturbs: () => boolean): HeldLogger {
  const held: (() => void)[] = [];
  let left = 0;
  const hold = (entry: () => void): void => {
    if (!disturbs()) entry();
    else if (held.length < MOST_HELD) held.push(entry);
    else left += 1;
  };
  return {
    debug: () => undefined,
    info: () => undefined,
    warn: (message, fields) => hold(() => logger.warn(message, fields)),
    error: (message, fields) => hold(() => logger.error(message, fields)),
    release() {
      for (const entry of held.splice(0)) entry();
      if (left > 0) logger.warn(`${left} more warnings; the run summary names every symbol's outcome`);
      left = 0;
    },
  };
}

function causes(error: unknown): string {
  const reasons: string[] = [];
  for (let cause = error instanceof Error ? error.cause : undefined; cause instanceof Error; cause = cause.cause) {
    reasons.push(`${cause.name}: ${messageOf(cause)}`.slice(0, 300));
  }
  return reasons.length === 0 ? "" : ` (cause: ${reasons.slice(0, 3).join("; ")})`;
}
