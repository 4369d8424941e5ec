import { homedir } from "node:os";
import type { Command } from "commander";
import { defaultCacheDir } from "../aggregator/cache-folder.ts";
import { Aggregator } from "../aggregator/index.ts";
import { DateNotStoredError } from "../domain/errors.ts";
import { printable } from "../domain/text.ts";
import type { Environment } from "../lambdas/runtime/runtime.ts";
import { endpointOf } from "../stores/open-store.ts";
import { pathArgument, storeArgument } from "./arguments.ts";
import { inCommandTerms } from "./command-terms.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { configuredClosures } from "./run-input.ts";
import { createStageLine } from "./stage-line.ts";
import { sourceOption } from "./store-source.ts";
import { type Terminal, writeLine } from "./terminal.ts";

/** Options of every command that reads a store by the library. */
export interface LibraryOptions {
  readonly store: string;
  readonly cacheDir?: string;
}

/** Adds `--store` and `--cache-dir`. */
export function libraryOptions(command: Command): Command {
  return command
    .option("--store <url>", "file:FOLDER or s3://BUCKET[/FOLDER]", storeArgument, "file:./data")
    .option(
      "--cache-dir <folder>",
      "for what is fetched and found out once (default: the system's folder for caches)",
      pathArgument,
    );
}

/** How long what is under way may take to clear up after Ctrl-C, in milliseconds. */
const CLEARING_MS = 500;

/**
 * Opens the store for a command and closes it after it. On a terminal a line shows how far long work is.
 * @param interruption what is told on Ctrl-C, which ends what the engine does and then the process.
 */
export async function withAggregator(
  { store, cacheDir }: LibraryOptions,
  terminal: Terminal,
  use: (aggregator: Aggregator) => Promise<void>,
  interruption = "interrupted",
): Promise<void> {
  const { stderr, environment, clock } = terminal;
  const line = createStageLine(terminal);
  const tell = (message: string): void => {
    line.stop();
    writeLine(stderr, `asx: ${printable(inCommandTerms(message))}`);
  };
  let isInterrupted = false;
  const aggregator = await Aggregator.open(store, {
    endpoint: endpointOf(environment),
    cacheDir: cacheDir ?? defaultCacheDir(environment, homedir()),
    closedDates: configuredClosures(environment),
    now: clock.now,
    onProgress: (report) => {
      if (!isInterrupted) line.onProgress(report);
    },
    onWarning: tell,
  });
  void terminal.interrupted().then(async () => {
    isInterrupted = true;
    tell(interruption);
    await aggregator.close();
    clock.after(CLEARING_MS, () => terminal.quit(EXIT_CODES.interrupted));
  });
  try {
    await use(aggregator);
  } catch (error) {
    if (!isInterrupted) throw await withSource(error, store, environment); // else it is what closing the engine led to
  } finally {
    line.stop();
    await aggregator.close();
  }
  if (isInterrupted) terminal.quit(EXIT_CODES.interrupted);
}

/** The error of a date that is not stored ends with the command that fetches it: into made-up bars, with their source. */
async function withSource(error: unknown, store: string, environment: Environment): Promise<unknown> {
  if (!(error instanceof DateNotStoredError) || !/ asx run .* --store .+$/.test(error.message)) return error;
  const source = await sourceOption(store, environment);
  return source === "" ? error : new DateNotStoredError(`${error.message}${source}`, { cause: error });
}
