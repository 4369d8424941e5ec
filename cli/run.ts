import { Command } from "commander";
import type { ObjectStore } from "../domain/object-store.ts";
import type { RunDigest, RunSummary } from "../domain/run-summary.ts";
import { silentMetrics } from "../lambdas/runtime/metrics.ts";
import type { Environment, Runtime } from "../lambdas/runtime/runtime.ts";
import { endpointOf, openStore } from "../stores/open-store.ts";
import { rateArgument, sourceArgument, storeArgument, symbolsArgument, wholeNumberArgument } from "./arguments.ts";
import { runDailyWorkflow } from "./daily-workflow.ts";
import { openDisplay, tellOnInterrupt } from "./display.ts";
import { EXIT_CODES, exitCodeOf } from "./exit-codes.ts";
import { duration } from "./numbers.ts";
import {
  acceptDirectoryOption,
  closuresOption,
  dateOption,
  datesOf,
  type RunInput,
  type RunInputOptions,
  runInput,
  symbolsOption,
} from "./run-input.ts";
import { withRunLock } from "./run-lock.ts";
import { showProgress } from "./run-progress.ts";
import { describeRun } from "./run-report.ts";
import { refuseMixedSources } from "./store-source.ts";
import { readWrittenSummary } from "./stored-summary.ts";
import { type Terminal, writeLine } from "./terminal.ts";
import { openUpstream } from "./upstream.ts";

/** The options of a run on this machine. */
export interface LocalRunOptions extends RunInputOptions {
  readonly store: string;
  readonly source: string;
  readonly batchSize: number;
  readonly maxConcurrency: number;
  readonly rate?: string;
  readonly extraSymbols?: string[];
  readonly json?: boolean;
}

const HELP = `
Examples:
  asx run --source sandbox                     try everything offline, on a made-up market
  asx run                                      the last finished trading day, from the real addresses
  asx run --date 2024-05-31 --store s3://my-bucket
  asx run --symbols BHP,CBA --date 2024-05-31  just these two
  asx run --json | jq .counts

Running a date again is safe: it fetches only what has no final outcome yet. A store has bars of one source:
a run with another is refused.

Exit codes: 0 complete or market closed, 2 partial, 1 failed, 64 bad usage, 130 interrupted.`;

/** `asx run`: the daily workflow on this machine. */
export function runCommand(terminal: Terminal): Command {
  const command = new Command("run")
    .summary("fetch one trading day")
    .description(
      "Runs the daily workflow on this machine: the ASX directory, every symbol's bar in batches, the run summary.",
    );
  return localRunOptions(command)
    .option("--json", "print the run summary as JSON and nothing else on standard output")
    .addHelpText("after", HELP)
    .action((options: LocalRunOptions) => run(options, terminal));
}

/** Adds the options of a run on this machine, but for `--json`. */
export function localRunOptions(command: Command): Command {
  return command
    .addOption(dateOption())
    .option("--store <url>", "file:FOLDER or s3://BUCKET[/FOLDER]", storeArgument, "file:./data")
    .option("--source <source>", "live, sandbox, or the http:// address of a sandbox", sourceArgument, "live")
    .addOption(symbolsOption())
    .option("--batch-size <n>", "symbols a batch", wholeNumberArgument(1, 1000), 100)
    .option("--max-concurrency <n>", "batches at the same time", wholeNumberArgument(1, 40), 10)
    .option(
      "--rate <n>",
      "requests a second over all batches, or unlimited (default: 5; sandbox: unlimited)",
      rateArgument,
    )
    .option(
      "--extra-symbols <codes>",
      "codes to fetch besides the directory's, such as ETFs (default: EXTRA_SYMBOLS)",
      symbolsArgument,
    )
    .addOption(closuresOption())
    .addOption(acceptDirectoryOption());
}

async function run(options: LocalRunOptions, terminal: Terminal): Promise<void> {
  const store = await openStore(options.store, { endpoint: endpointOf(terminal.environment) });
  const input = runInput(options, terminal);
  const dates = datesOf(input, options, terminal);
  await refuseMixedSources(store, { dates, source: options.source, environment: terminal.environment });
  await runHere({ store, input, dates, options }, terminal, ({ digest, summary, tookMs }) => {
    const asText = (): string => describeRun(summary, { store, tookMs, asTable: terminal.interactive });
    writeLine(terminal.stdout, options.json === true ? JSON.stringify(summary) : asText());
    terminal.exit(exitCodeOf(digest.status));
  });
}

/** A run on this machine that is to be made. */
export interface LocalRun {
  readonly store: ObjectStore;
  readonly input: RunInput;
  /** The trading dates that it asks for, the date of the input last: it holds their locks. */
  readonly dates: readonly string[];
  readonly options: LocalRunOptions;
}

/** A run that came to its end. */
export interface EndedRun {
  readonly digest: RunDigest;
  /** Of the run's own date. */
  readonly summary: RunSummary;
  readonly tookMs: number;
}

/**
 * Runs the daily workflow on this machine and shows how it goes. A run that breaks off, or leaves its dates to another, is
 * told on standard error, and the command ends with 1.
 * @param report tells what an ended run came to, and sets the exit code.
 */
export async function runHere(
  { store, input, dates, options }: LocalRun,
  terminal: Terminal,
  report: (ended: EndedRun) => void,
): Promise<void> {
  const { stderr, clock } = terminal;
  const { date } = input;
  const upstream = await openUpstream(options.source, clock.now);
  const display = openDisplay(terminal, options.json !== true);
  const progress = display.line === undefined ? undefined : showProgress(display.line, clock);
  const runtime: Runtime = {
    store,
    fetch: globalThis.fetch,
    clock,
    random: Math.random,
    logger: display.logger,
    metrics: silentMetrics,
    onOutcome: (outcome) => progress?.onOutcome(outcome),
  };
  if (progress !== undefined) writeLine(stderr, `ASX ${date}, from ${options.source} into ${store.url}`);
  const notifications: string[] = [];
  const startedAt = clock.now();
  tellOnInterrupt(
    terminal,
    display,
    "interrupted; the batches that were stored stay, and running the date again goes on from there",
  );
  try {
    const { digest, error, underWay } = await withRunLock({ store, dates, logger: display.logger }, terminal, (run) =>
      runDailyWorkflow(input, {
        run,
        environment: {
          ...terminal.environment,
          ...environmentOf(options, upstream.defaultRate),
          ...upstream.environment,
        },
        runtime,
        maxConcurrency: options.maxConcurrency,
        onNotification: (subject, message) => notifications.push(`NOTIFICATION ${subject}: ${message}`),
        onEvent: (event) => {
          progress?.onEvent(event);
          if (event.type === "StateRetried") runtime.logger.warn(`${event.state.name} is tried again`);
        },
        retryDelayMs: terminal.retryDelayMs,
        longestRedriveWaitMs: terminal.longestRedriveWaitMs,
        onRedrive: (redrive, waitMs) => {
          progress?.onRedrive(redrive);
          const round = `round ${redrive.run.attempt}`;
          runtime.logger.info(`some symbols are unfinished: asking again in ${duration(waitMs)}, ${round}`);
        },
      }),
    );
    display.stop();
    for (const notification of notifications) writeLine(stderr, notification);
    if (digest === undefined) {
      writeLine(stderr, `asx: ${underWay ?? `the run of ${date} broke off: ${error?.name}: ${error?.cause}`}`);
      terminal.exit(EXIT_CODES.failed);
      return;
    }
    const summary = await readWrittenSummary(store, digest.s3Key);
    report({ digest, summary, tookMs: clock.now() - startedAt });
  } finally {
    display.stop();
    await upstream.close();
  }
}

function environmentOf(options: LocalRunOptions, defaultRate: string): Environment {
  return {
    BATCH_SIZE: String(options.batchSize),
    MAX_CONCURRENCY: String(options.maxConcurrency),
    REQUESTS_PER_SECOND: options.rate ?? defaultRate,
    // The token is the real address's alone.
    ...(options.source !== "live" && { ASX_DIRECTORY_ACCESS_TOKEN: undefined }),
    ...(options.extraSymbols !== undefined && { EXTRA_SYMBOLS: options.extraSymbols.join(",") }),
    ...(options.closures !== undefined && { MARKET_CLOSURES: options.closures.join(",") }),
  };
}
