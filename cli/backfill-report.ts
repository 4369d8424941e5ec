import type { BackfillRecord } from "../domain/backfill.ts";
import { isFinal, SYMBOL_OUTCOMES, type SymbolOutcome } from "../domain/batch.ts";
import { backfillKey, historyFilesPrefix } from "../domain/object-keys.ts";
import { printable } from "../domain/text.ts";
import { counted, duration, size, whole } from "./numbers.ts";
import { type ReportOptions, storeOption } from "./run-report.ts";
import { renderTable } from "./table.ts";

const MEANINGS: Record<SymbolOutcome, string> = {
  fetched: "bars are stored",
  noTrade: "known to the provider, no bar in the span",
  notFound: "unknown to the provider",
  invalid: "every bar breaks a rule and is kept out",
  failed: "transient trouble; run it again",
  deferred: "not tried; run it again",
};

/** How the report of a backfill is shown. */
export interface BackfillReportOptions extends ReportOptions {
  /** The whole command that goes on with what is unfinished. */
  readonly again: string;
}

/** What a backfill came to, where its files are and what to do next. */
export function describeBackfill(record: BackfillRecord, options: BackfillReportOptions): string {
  const { from, to, status, rows, batches, symbols, upstream } = record;
  const { store, tookMs, asTable } = options;
  const bytes = batches.reduce((total, batch) => total + batch.bytes, 0);
  const asked =
    upstream.requests === 0
      ? "Nothing was left to fetch: no request was made."
      : `${counted(upstream.requests, "request")}${retried(record)}.`;
  return [
    `ASX ${from} to ${to}: ${status} in ${duration(tookMs)}. ${counted(rows, "bar")} of ${counted(symbols.total, "symbol")}. ${asked}`,
    ...remarks(record),
    ...(asTable ? ["", outcomeTable(record), ""] : [outcomeLine(record)]),
    `Bars:    ${store.locate(historyFilesPrefix(record))}*.parquet (${counted(batches.length, "file")}, ${size(bytes)})`,
    `Record:  ${store.locate(backfillKey(record))}`,
    ...nextSteps(record, options),
  ].join("\n");
}

function retried({ upstream }: BackfillRecord): string {
  return upstream.retries === 0 ? "" : `, ${whole(upstream.retries)} of them tried again`;
}

function remarks({ counts, outcomes, leftOut, symbols }: BackfillRecord): string[] {
  const unfinished = outcomes.find(({ outcome }) => !isFinal(outcome));
  return [
    ...(unfinished === undefined
      ? []
      : [
          `Missing: ${unfinishedText(counts.failed + counts.deferred)}, such as ${unfinished.symbol}: ${printable(unfinished.reason ?? unfinished.outcome)}`,
        ]),
    ...(leftOut > 0
      ? [`Left out: ${counted(leftOut, "row")} of the answers break a rule; the record has examples`]
      : []),
    ...symbols.warnings.map((warning) => `Warning: ${printable(warning)}`),
  ];
}

function unfinishedText(count: number): string {
  return count === 1 ? "1 symbol is unfinished" : `${whole(count)} symbols are unfinished`;
}

function nextSteps(record: BackfillRecord, { store, again, commandPrefix = "" }: BackfillReportOptions): string[] {
  const where = storeOption(store);
  if (record.outcomes.some(({ outcome }) => !isFinal(outcome))) return [`Next:    ${again}`];
  if (record.rows === 0) return ["Next:    no symbol has a bar in these dates: check the codes and the dates"];
  const newest = Object.keys(record.days).sort().at(-1) ?? record.to;
  return [
    `Look:    ${commandPrefix}npx asx show --date ${newest} --symbol ${exampleSymbol(record, newest)}${where}`,
    `Next:    ${commandPrefix}npx asx compact${where}`,
  ];
}

/** `fetched 1,820, noTrade 12` */
function outcomeLine({ counts }: BackfillRecord): string {
  const named = Object.values(SYMBOL_OUTCOMES).filter((outcome) => counts[outcome] > 0);
  if (named.length === 0) return "Symbols: all stand in another backfill, whose dates contain these";
  return `Symbols: ${named.map((outcome) => `${outcome} ${whole(counts[outcome])}`).join(", ")}`;
}

function outcomeTable({ counts }: BackfillRecord): string {
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

/** A symbol with a bar on a date: BHP where it does. */
function exampleSymbol({ outcomes }: BackfillRecord, date: string): string {
  const having = outcomes.filter(({ last }) => last === date).map(({ symbol }) => symbol);
  return having.includes("BHP") ? "BHP" : (having[0] ?? "BHP");
}
