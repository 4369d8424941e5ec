import { Command } from "commander";
import type { BackfillEvent } from "../domain/backfill.ts";
import { spanName } from "../domain/date-span.ts";
import type { ObjectStore } from "../domain/object-store.ts";
import { shellWord } from "../domain/text.ts";
import { silentMetrics } from "../lambdas/runtime/metrics.ts";
import type { Environment, Runtime } from "../lambdas/runtime/runtime.ts";
import { endpointOf, openStore } from "../stores/open-store.ts";
import { rateArgument, sourceArgument, storeArgument, symbolsArgument, wholeNumberArgument } from "./arguments.ts";
import { type BackfillInputOptions, backfillInput, commandCalendar, fromOption, toOption } from "./backfill-input.ts";
import { describeForecast, forecastBackfill } from "./backfill-plan.ts";
import { createBackfillProgress } from "./backfill-progress.ts";
import { readWrittenBackfill } from "./backfill-record.ts";
import { describeBackfill } from "./backfill-report.ts";
import { type BackfillEnd, runBackfillWorkflow } from "./backfill-workflow.ts";
import { type Display, openDisplay, tellOnInterrupt } from "./display.ts";
import { earlierBackfills } from "./earlier-backfills.ts";
import { EXIT_CODES, exitCodeOf } from "./exit-codes.ts";
import { duration } from "./numbers.ts";
import { acceptDirectoryOption, closuresOption, symbolsOption } from "./run-input.ts";
import { withRunLock } from "./run-lock.ts";
import { storeOption } from "./run-report.ts";
import { refuseMixedSources } from "./store-source.ts";
import { type Terminal, writeLine } from "./terminal.ts";
import { openUpstream, type Upstream } from "./upstream.ts";

interface BackfillCommandOptions extends BackfillInputOptions {
  readonly store: string;
  readonly source: string;
  readonly batchSize: number;
  readonly maxConcurrency: number;
  readonly rate?: string;
  readonly extraSymbols?: string[];
  readonly plan?: boolean;
  readonly json?: boolean;
}

/** What a backfill works with where nothing else is said. */
const USUAL_BATCH_SIZE = 100;
const USUAL_CONCURRENCY = 10;

const HELP = `
Examples:
  asx backfill --from 2016-01-04 --plan          what it would take: requests, minutes, files, dollars
  asx backfill --from 2016-01-04                 ten years of every listed symbol, about seven minutes
  asx backfill --from 2016-01-04 --to 2026-11-20 the same span again: fetches only what is missing
  asx backfill --from 2016-01-04 --symbols BHP,CBA
  asx backfill --from 2020-01-02 --source sandbox --store file:./sandbox-data

One request covers a symbol's whole span. It may be stopped or killed at any moment: run again with the same dates it
goes on from there. Bars of a span and of daily runs may overlap; the one that was fetched last counts.

Exit codes: 0 complete, 2 partial, 1 failed, 64 bad usage, 130 interrupted.`;

/** `asx backfill`: the past of symbols, on this machine. */
export function backfillCommand(terminal: Terminal): Command {
  return new Command("backfill")
    .summary("fetch the past, years in one request a symbol")
    .description("Fetches every symbol's bars over a span of dates, one request a symbol, into files of the span.")
    .addOption(fromOption().makeOptionMandatory())
    .addOption(toOption())
    .option("--store <url>", "file:FOLDER or s3://BUCKET[/FOLDER]", storeArgument, "file:./data")
    .option("--source <source>", "live, sandbox, or the http:// address of a sandbox", sourceArgument, "live")
    .addOption(symbolsOption())
    .option("--batch-size <n>", "symbols a file, at most", wholeNumberArgument(1, 1000), USUAL_BATCH_SIZE)
    .option("--max-concurrency <n>", "batches at the same time", wholeNumberArgument(1, 40), USUAL_CONCURRENCY)
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
    .addOption(acceptDirectoryOption())
    .option("--plan", "say what it would take, and do nothing")
    .option("--json", "print the record, or the plan, as JSON and nothing else on standard output")
    .addHelpText("after", HELP)
    .action((options: BackfillCommandOptions) => backfill(options, terminal));
}

/** What a backfill works with. */
interface Surroundings {
  readonly options: BackfillCommandOptions;
  readonly terminal: Terminal;
  readonly input: BackfillEvent;
  readonly store: ObjectStore;
  readonly display: Display;
  readonly upstream: Upstream;
}

async function backfill(options: BackfillCommandOptions, terminal: Terminal): Promise<void> {
  const { environment, clock } = terminal;
  const input = backfillInput(options, terminal);
  const store = await openStore(options.store, { endpoint: endpointOf(environment) });
  await refuseMixedSources(store, { dates: [], source: options.source, environment });
  const upstream = await openUpstream(options.source, clock.now);
  const display = openDisplay(terminal, options.json !== true && options.plan !== true);
  const surroundings = { options, terminal, input, store, display, upstream };
  const asked = { ...input.backfill, symbols: input.symbols };
  const calendar = commandCalendar(options.closures, terminal);
  const hints = options.to === undefined ? await earlierBackfills(store, asked, calendar) : [];
  for (const hint of hints) display.logger.warn(hint);
  try {
    await (options.plan === true ? tellPlan(surroundings) : run(surroundings));
  } finally {
    display.stop();
    await upstream.close();
  }
}

async function tellPlan(surroundings: Surroundings): Promise<void> {
  const { options, terminal, input } = surroundings;
  tellOnInterrupt(terminal, surroundings.display, "interrupted; nothing was written");
  const forecast = await forecastBackfill(input, {
    environment: environmentOf(surroundings),
    runtime: runtimeOf(surroundings),
    budget: budgetOf(surroundings),
  });
  writeLine(terminal.stdout, options.json === true ? JSON.stringify(forecast) : describeForecast(forecast));
}

async function run(surroundings: Surroundings): Promise<void> {
  const { options, terminal, input, store, display } = surroundings;
  const { stdout, stderr, clock } = terminal;
  const { from, to } = input.backfill;
  if (display.line !== undefined) writeLine(stderr, `ASX ${from} to ${to}, from ${options.source} into ${store.url}`);
  const again = againCommand(surroundings);
  tellOnInterrupt(
    terminal,
    display,
    `interrupted; every history that was fetched stays, and this goes on from there: ${again}`,
  );
  const startedAt = clock.now();
  const notifications: string[] = [];
  const { digest, error, underWay } = await runLocked(surroundings, notifications);
  display.stop();
  for (const notification of notifications) writeLine(stderr, notification);
  if (digest === undefined) {
    const brokeOff = `the backfill from ${from} to ${to} broke off: ${error?.name}: ${error?.cause}; what was fetched stays: ${again}`;
    writeLine(stderr, `asx: ${underWay ?? brokeOff}`);
    terminal.exit(EXIT_CODES.failed);
    return;
  }
  const record = await readWrittenBackfill(store, digest.s3Key);
  const shown = { store, tookMs: clock.now() - startedAt, asTable: terminal.interactive, again };
  writeLine(stdout, options.json === true ? JSON.stringify(record) : describeBackfill(record, shown));
  terminal.exit(exitCodeOf(digest.status));
}

/** Runs the workflow under the lock of the span. */
async function runLocked(surroundings: Surroundings, notifications: string[]): Promise<BackfillEnd> {
  const { options, terminal, input, store, display } = surroundings;
  const { logger } = display;
  let requests = 0;
  const progress = createBackfillProgress({
    line: display.line,
    logger,
    clock: terminal.clock,
    requests: () => requests,
    budget: budgetOf(surroundings),
  });
  const runtime: Runtime = {
    ...runtimeOf(surroundings),
    fetch: (url, init) => {
      if (url.pathname.includes("/v8/finance/chart/")) requests += 1;
      return globalThis.fetch(url, init);
    },
    onOutcome: (outcome) => progress.onOutcome(outcome),
  };
  return withRunLock({ store, dates: [spanName(input.backfill)], logger }, terminal, (name) =>
    runBackfillWorkflow(input, {
      run: name,
      environment: environmentOf(surroundings),
      runtime,
      maxConcurrency: options.maxConcurrency,
      onNotification: (subject, message) => notifications.push(`NOTIFICATION ${subject}: ${message}`),
      onEvent: (event) => progress.onEvent(event),
      retryDelayMs: terminal.retryDelayMs,
      longestRedriveWaitMs: terminal.longestRedriveWaitMs,
      onRedrive: (redrive, waitMs) => {
        display.line?.stop();
        logger.info(`some symbols are unfinished: asking again in ${duration(waitMs)}, round ${redrive.run.attempt}`);
      },
    }),
  );
}

function runtimeOf({ store, terminal, display }: Surroundings): Runtime {
  const { clock } = terminal;
  return { store, fetch: globalThis.fetch, clock, random: Math.random, logger: display.logger, metrics: silentMetrics };
}

function rateOf({ options, upstream }: Surroundings): string {
  return options.rate ?? upstream.defaultRate;
}

/** Requests a second; undefined where they are not limited. */
function budgetOf(surroundings: Surroundings): number | undefined {
  const rate = rateOf(surroundings);
  return rate === "unlimited" ? undefined : Number(rate);
}

function environmentOf(surroundings: Surroundings): Environment {
  const { options, terminal, upstream } = surroundings;
  return {
    ...terminal.environment,
    BATCH_SIZE: String(options.batchSize),
    MAX_CONCURRENCY: String(options.maxConcurrency),
    REQUESTS_PER_SECOND: rateOf(surroundings),
    // The token is the real address's alone.
    ...(options.source !== "live" && { ASX_DIRECTORY_ACCESS_TOKEN: undefined }),
    ...(options.extraSymbols !== undefined && { EXTRA_SYMBOLS: options.extraSymbols.join(",") }),
    ...(options.closures !== undefined && { MARKET_CLOSURES: options.closures.join(",") }),
    ...upstream.environment,
  };
}

/** The command that goes on with this backfill, on whatever day: its last date is named. */
function againCommand({ options, input, store }: Surroundings): string {
  const { from, to } = input.backfill;
  return (
    [
      `npx asx backfill --from ${from} --to ${to}`,
      ...(options.symbols === undefined ? [] : [`--symbols ${options.symbols.join(",")}`]),
      ...(options.extraSymbols === undefined ? [] : [`--extra-symbols ${options.extraSymbols.join(",")}`]),
      ...(options.closures === undefined ? [] : [`--closures ${options.closures.join(",")}`]),
      ...(options.acceptDirectory === true ? ["--accept-directory"] : []),
      ...(options.source === "live" ? [] : [`--source ${shellWord(options.source)}`]),
      ...(options.batchSize === USUAL_BATCH_SIZE ? [] : [`--batch-size ${options.batchSize}`]),
      ...(options.maxConcurrency === USUAL_CONCURRENCY ? [] : [`--max-concurrency ${options.maxConcurrency}`]),
      ...(options.rate === undefined ? [] : [`--rate ${options.rate}`]),
    ].join(" ") + storeOption(store)
  );
}
