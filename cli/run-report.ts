import { isFinal, SYMBOL_OUTCOMES, type SymbolOutcome } from "../domain/batch.ts";
import { rawDataPrefix, runKey } from "../domain/object-keys.ts";
import type { ObjectStore } from "../domain/object-store.ts";
import type { DayFinding, RunSummary } from "../domain/run-summary.ts";
import { printable, shellWord } from "../domain/text.ts";
import { counted, duration, size, whole } from "./numbers.ts";
import { renderTable } from "./table.ts";

const MEANINGS: Record<SymbolOutcome, string> = {
  fetched: "a valid bar is stored",
  noTrade: "known to the provider, no bar for the date",
  notFound: "unknown to the provider",
  invalid: "the provider's bar breaks a rule and is kept out",
  failed: "transient trouble; run the date again",
  deferred: "not tried; run the date again",
};

/** How a report is shown. */
export interface ReportOptions {
  readonly store: ObjectStore;
  /** Milliseconds the run took. */
  readonly tookMs: number;
  /** A table of the outcomes, for a terminal. */
  readonly asTable: boolean;
  /** What the commands that look at the files need before them in a shell; nothing where not given. */
  readonly commandPrefix?: string;
}

/** What a run came to, where its files are and how to look at them. */
export function describeRun(
  summary: RunSummary,
  { store, tookMs, asTable, commandPrefix = "" }: ReportOptions,
): string {
  const { date, status, batches, rows } = summary;
  if (status === "market-closed") return `ASX ${date}: the market was closed; nothing was fetched.`;
  const bytes = batches.reduce((total, batch) => total + batch.bytes, 0);
  const files = batches.filter(({ key }) => key !== null).length;
  const where = storeOption(store);
  return [
    `ASX ${date}: ${status} in ${duration(tookMs)}. ${counted(rows, "bar")} of ${counted(summary.symbols.total, "symbol")}.`,
    ...(summary.quality?.findings ?? []).map(describeFinding),
    ...remarks(summary),
    ...(asTable ? ["", outcomeTable(summary), ""] : []),
    `Bars:    ${store.locate(rawDataPrefix(date))}*.parquet (${counted(files, "file")}, ${size(bytes)})`,
    `Summary: ${store.locate(runKey(date))}`,
    `Look:    ${commandPrefix}npx asx show --date ${date} --symbol ${exampleSymbol(summary)}${where}`,
    `         ${commandPrefix}npx asx status --date ${date}${where}`,
  ].join("\n");
}

/** What else is worth knowing of a run, a line each. */
function remarks({ counts, outcomes, quality, revised, unread, symbols }: RunSummary): string[] {
  const unfinished = outcomes.find(({ outcome }) => !isFinal(outcome));
  const suspects = quality?.suspects.length ?? 0;
  return [
    ...(unfinished === undefined
      ? []
      : [
          `Missing: ${whole(counts.failed + counts.deferred)} ${counts.failed + counts.deferred === 1 ? "symbol is" : "symbols are"} unfinished, such as ${unfinished.symbol}: ${printable(unfinished.reason ?? unfinished.outcome)}`,
        ]),
    ...(counts.invalid > 0 ? [`Invalid: ${whole(counts.invalid)} bars are kept out`] : []),
    ...(unread > 0 ? [`Unread:  ${whole(unread)} symbols could not be read again`] : []),
    ...(revised > 0 ? [`Revised: ${whole(revised)} changes of stored bars are recorded`] : []),
    ...(suspects > 0 ? [`Suspect: ${whole(suspects)} bars look unlikely`] : []),
    ...symbols.warnings.map((warning) => `Warning: ${printable(warning)}`),
  ];
}

/** What a check of the whole day found, on one line. */
export function describeFinding({ gate, stops, detail }: DayFinding): string {
  return `${stops ? "Stopped" : "Doubtful"}: ${gate}: ${printable(detail)}`;
}

/** The option that names a store in a command, with a space before it; empty for the default one. */
export function storeOption({ url }: Pick<ObjectStore, "url">): string {
  return url === "file:./data" ? "" : ` --store ${shellWord(url)}`;
}

/** The outcomes of a summary, one a line, with what they mean. */
export function outcomeTable({ counts }: RunSummary): string {
  const rows = Object.values(SYMBOL_OUTCOMES).map((outcome) => [outcome, whole(counts[outcome]), MEANINGS[outcome]]);
  return renderTable(
    [
      { heading: "outcome", align: "left" },
      { heading: "symbols", align: "right" },
      { heading: "meaning", align: "left" },
    ],
    rows,
  );
}

/** A symbol that has a bar: BHP where it does. */
function exampleSymbol({ outcomes }: RunSummary): string {
  const fetched = outcomes.filter(({ outcome }) => outcome === "fetched").map(({ symbol }) => symbol);
  return fetched.includes("BHP") ? "BHP" : (fetched[0] ?? "BHP");
}
