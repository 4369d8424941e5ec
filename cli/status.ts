import { Command } from "commander";
import { isFinal, type SymbolReport } from "../domain/batch.ts";
import { parseRawDataKey, parseRunKey, rawDataPrefix, runKey, runsPrefix } from "../domain/object-keys.ts";
import type { ObjectStore, StoredObject } from "../domain/object-store.ts";
import { parseRunSummary } from "../domain/parse-run-summary.ts";
import type { DayQuality, RunSummary } from "../domain/run-summary.ts";
import { printable } from "../domain/text.ts";
import { createTradingCalendar } from "../domain/trading-calendar.ts";
import { endpointOf, openStore } from "../stores/open-store.ts";
import { dateArgument, storeArgument } from "./arguments.ts";
import { backfilledDay, describeBackfilledDay, lastBackfilledDate } from "./backfilled-day.ts";
import { EXIT_CODES, exitCodeOf } from "./exit-codes.ts";
import { counted, size, whole } from "./numbers.ts";
import { configuredClosures } from "./run-input.ts";
import { describeFinding, outcomeTable, storeOption } from "./run-report.ts";
import { sourceOption } from "./store-source.ts";
import { checkFile, type FileState } from "./stored-file-state.ts";
import { type Terminal, writeLine } from "./terminal.ts";

interface StatusOptions {
  readonly date?: string;
  readonly store: string;
  readonly json?: boolean;
}

/** How many symbols the text names of a kind. */
const SYMBOLS_NAMED = 10;

const HELP = `
Examples:
  asx status                                   the newest date of the store
  asx status --date 2024-05-31 --store s3://my-bucket
  asx status --json | jq '.outcomes[] | select(.outcome == "failed")'

Exit codes: 0 complete or market closed, 2 partial, 1 failed, damaged or nothing stored, 64 bad usage.`;

/** `asx status`: what the store holds for a date. */
export function statusCommand(terminal: Terminal): Command {
  return new Command("status")
    .summary("show how a date stands")
    .description(
      "Shows what the store holds for a date: status, outcomes, files, rows, and what is missing. Checks every file's SHA-256.",
    )
    .option(
      "--date <date>",
      "trading date in Sydney, YYYY-MM-DD (default: the newest that has a run, or a backfill)",
      dateArgument,
    )
    .option("--store <url>", "file:FOLDER or s3://BUCKET[/FOLDER]", storeArgument, "file:./data")
    .option("--json", "print the status as JSON")
    .addHelpText("after", HELP)
    .action((options: StatusOptions) => status(options, terminal));
}

async function status(options: StatusOptions, terminal: Terminal): Promise<void> {
  const store = await openStore(options.store, { endpoint: endpointOf(terminal.environment) });
  const date =
    options.date ?? (await newestDate(store)) ?? createTradingCalendar().lastFinishedTradingDay(terminal.clock.now());
  const bytes = await store.get(runKey(date));
  if (bytes === undefined) {
    const files = await unlistedFiles(store, date);
    const isOpen = createTradingCalendar(configuredClosures(terminal.environment)).isTradingDay(date);
    const day = isOpen && files.length === 0 ? await backfilledDay(store, date) : undefined;
    if (day !== undefined) {
      writeLine(terminal.stdout, options.json === true ? JSON.stringify(day) : describeBackfilledDay(day, store));
      terminal.exit(day.files.some(({ state }) => state !== "ok") ? EXIT_CODES.failed : exitCodeOf(day.status));
      return;
    }
    if (options.json === true) writeLine(terminal.stdout, JSON.stringify({ date, status: null, files }));
    else {
      const source = await sourceOption(options.store, terminal.environment);
      writeLine(terminal.stdout, describeWithoutRun(date, files, { store, source }));
    }
    terminal.exit(EXIT_CODES.failed);
    return;
  }
  const summary = parseRunSummary(runKey(date), bytes);
  const files = await Promise.all(
    summary.batches.flatMap((batch) => (batch.key === null ? [] : checkFile(store, { ...batch, key: batch.key }))),
  );
  const unfinished = summary.outcomes.filter(({ outcome }) => !isFinal(outcome));
  if (options.json === true) writeLine(terminal.stdout, JSON.stringify({ ...summary, files, unfinished }));
  else writeLine(terminal.stdout, describeRunState(summary, files, unfinished, store));
  const isDamaged = files.some(({ state }) => state !== "ok");
  terminal.exit(isDamaged ? EXIT_CODES.failed : exitCodeOf(summary.status));
}

async function newestDate(store: ObjectStore): Promise<string | undefined> {
  const dates = (await store.list(runsPrefix)).map(({ key }) => parseRunKey(key));
  return dates.filter((date) => date !== undefined).at(-1) ?? (await lastBackfilledDate(store));
}

async function unlistedFiles(store: ObjectStore, date: string): Promise<FileState[]> {
  const listed = await store.list(rawDataPrefix(date));
  const ours = listed.filter(({ key }: StoredObject) => parseRawDataKey(key)?.date === date);
  return ours.map(({ key, bytes }) => ({ key, state: "unlisted", rows: null, bytes }));
}

function describeWithoutRun(
  date: string,
  files: readonly FileState[],
  { store, source }: { readonly store: ObjectStore; readonly source: string },
): string {
  if (files.length === 0)
    return `ASX ${date}: ${store.url} holds nothing. Fetch it: npx asx run --date ${date}${storeOption(store)}${source}`;
  return `ASX ${date}: no run summary, but ${counted(files.length, "file")}: a run is under way, or broke off. Run the date again.`;
}

function describeRunState(
  summary: RunSummary,
  files: readonly FileState[],
  unfinished: readonly SymbolReport[],
  store: ObjectStore,
): string {
  const { date, status: state, rows, symbols, finishedAt, batches } = summary;
  if (state === "market-closed") return `ASX ${date}: the market was closed.`;
  const bytes = files.reduce((total, file) => total + file.bytes, 0);
  const list = symbols.s3Key === null ? "named by hand" : `${symbols.s3Key} (${symbols.source})`;
  return [
    `ASX ${date}: ${state}, as of ${finishedAt}`,
    "",
    outcomeTable(summary),
    "",
    `Bars:    ${whole(rows)} of ${counted(symbols.total, "symbol")}, in ${counted(files.length, "file")} (${size(bytes)})`,
    `Symbols: ${printable(list)}`,
    ...(summary.quality === undefined ? [] : [`Traded:  ${describeTraded(summary.quality)}`]),
    `Asked:   ${describeUpstream(summary)}`,
    ...(summary.revised > 0
      ? [`Revised: ${whole(summary.revised)} bars were changed by the provider; revisions/ has old and new`]
      : []),
    ...(summary.quality?.findings ?? []).map(describeFinding),
    ...symbols.warnings.map((warning) => `Warning: ${printable(warning)}`),
    ...named(
      "Missing files",
      files.filter(({ state }) => state === "missing").map(({ key }) => store.locate(key)),
    ),
    ...named(
      "Changed files",
      files.filter(({ state }) => state === "changed").map(({ key }) => store.locate(key)),
    ),
    ...named(
      "Lost batches",
      batches.flatMap(({ batchNumber, error }) => (error === undefined ? [] : `${batchNumber} (${error})`)),
    ),
    ...named("To fetch again", unfinished.map(withReason)),
    ...named(
      "Suspect",
      (summary.quality?.suspects ?? []).map(({ symbol, kind, detail }) => `${symbol} (${kind}: ${printable(detail)})`),
    ),
    ...named("Invalid", summary.outcomes.filter(({ outcome }) => outcome === "invalid").map(withReason)),
  ].join("\n");
}

/** What the last run asked of the price source. */
function describeUpstream({ upstream, attempts }: RunSummary): string {
  const { requests, retries, rateLimited, breakerOpenings } = upstream;
  const rounds = attempts === 1 ? "" : `, in ${attempts} rounds`;
  return (
    `${counted(requests, "request")}, ${whole(retries)} of them retries, ${whole(rateLimited)} answered 429${rounds}` +
    (breakerOpenings === 0 ? "" : `; ${whole(breakerOpenings)} batches stopped asking an ailing provider`)
  );
}

function describeTraded({ traded, usual }: DayQuality): string {
  if (usual === null || usual === 0)
    return `${counted(traded, "symbol")}; too few whole sessions are stored before it to compare with`;
  return `${counted(traded, "symbol")}, ${Math.round((traded / usual) * 100)} % of the ${whole(usual)} that are usual`;
}

function withReason({ symbol, reason }: SymbolReport): string {
  return reason === undefined ? symbol : `${symbol} (${reason})`;
}

function named(heading: string, items: readonly string[]): string[] {
  if (items.length === 0) return [];
  const shown = items.slice(0, SYMBOLS_NAMED).map((item) => `  ${printable(item)}`);
  const more = items.length - shown.length;
  return [
    `${heading}: ${whole(items.length)}`,
    ...shown,
    ...(more > 0 ? [`  and ${whole(more)} more; --json names all`] : []),
  ];
}
