import type { HistoryReport } from "../../domain/backfill.ts";
import type { Bar } from "../../domain/bar.ts";
import type { SymbolReport } from "../../domain/batch.ts";
import type { DateSpan } from "../../domain/date-span.ts";
import { shorten } from "../../domain/text.ts";
import type { SessionChart, TimedAnswer } from "./price-source.ts";
import { checkRow, reasonOfCurrency, reasonOfTicker, reasonOfZone, reasonToWait, rowsByDate } from "./session-bar.ts";

/** Rows kept out that a reason quotes. */
const ROWS_QUOTED = 3;
/** Longest reason that is kept of a symbol. */
const LONGEST_REASON = 240;

/** What an answer says of one symbol over a span. */
export interface SymbolHistory {
  readonly report: HistoryReport;
  /** In order of date; of trading days alone. */
  readonly bars: readonly Bar[];
  /** Amount a share by ex-date, as the provider gave it; not trusted yet. */
  readonly dividends: ReadonlyMap<string, unknown>;
  /** New shares for one old by ex-date, as the provider gave it; not trusted yet. */
  readonly splits: ReadonlyMap<string, unknown>;
  /** When the answer came, in milliseconds since 1970; undefined where there was none. */
  readonly answeredAt: number | undefined;
}

/** The symbol, span and batch that were asked for. */
export interface HistoryQuestion {
  readonly symbol: string;
  /** The provider's name of the symbol. */
  readonly ticker: string;
  readonly span: DateSpan;
  /** The trading days of the span. */
  readonly sessions: ReadonlySet<string>;
  readonly batchNumber: number;
}

/**
 * Finds the bars of a span in an answer, by the rules that `session-bar.ts` has for one date, in time linear in its rows.
 *
 * Rows on days without a session, and rows that break an invariant, are left out and counted; the reason quotes the first
 * three. Rows outside the span are passed over. A symbol whose every row was left out is invalid.
 */
export function historyOf({ answer, answeredAt }: TimedAnswer, question: HistoryQuestion): SymbolHistory {
  const { symbol, ticker, span, sessions, batchNumber } = question;
  if (answer.kind === "notFound") return withoutBars({ symbol, outcome: "notFound" }, answeredAt);
  if (answer.kind === "noData") return withoutBars({ symbol, outcome: "noTrade" }, answeredAt);
  const otherTicker = reasonOfTicker(answer, ticker);
  if (otherTicker !== undefined) return withoutBars({ symbol, outcome: "invalid", reason: otherTicker }, answeredAt);
  const rows = rowsByDate(answer, ({ date }) => date >= span.from && date <= span.to);
  const otherZone = reasonOfZone(answer);
  if (rows.size === 0 && otherZone === undefined)
    return {
      ...withoutBars({ symbol, outcome: "noTrade" }, answeredAt),
      // Amounts in another currency are none of ours.
      ...(reasonOfCurrency(answer) === undefined && actionsOf(answer)),
    };
  const otherCurrency = reasonOfCurrency(answer);
  if (otherCurrency !== undefined)
    return withoutBars({ symbol, outcome: "invalid", reason: otherCurrency }, answeredAt);
  if (otherZone !== undefined) return withoutBars({ symbol, outcome: "failed", reason: otherZone }, answeredAt);

  const bars: Bar[] = [];
  const leftOut: string[] = [];
  for (const [date, row] of [...rows].sort(([left], [right]) => (left < right ? -1 : 1))) {
    const unsettled = reasonToWait(row, answeredAt);
    if (unsettled !== undefined) return withoutBars({ symbol, outcome: "failed", reason: unsettled }, answeredAt);
    if (!sessions.has(date)) {
      leftOut.push(`${date}: the exchange had no session`);
      continue;
    }
    const checked = checkRow(row, answer, { symbol, batchNumber, answeredAt });
    if (checked.valid) bars.push(checked.bar);
    else leftOut.push(`${date}: ${checked.reason}`);
  }
  return {
    report: {
      symbol,
      outcome: bars.length > 0 ? "fetched" : "invalid",
      ...(leftOut.length > 0 && { reason: reasonOf(leftOut) }),
      bars: bars.length,
      first: bars[0]?.date ?? null,
      last: bars.at(-1)?.date ?? null,
      leftOut: leftOut.length,
    },
    bars,
    ...actionsOf(answer),
    answeredAt,
  };
}

/** A symbol without a bar. */
export function withoutBars({ symbol, outcome, reason }: SymbolReport, answeredAt?: number): SymbolHistory {
  const said = reason === undefined ? {} : { reason: shorten(reason, LONGEST_REASON) };
  return {
    report: { symbol, outcome, ...said, bars: 0, first: null, last: null, leftOut: 0 },
    bars: [],
    dividends: new Map(),
    splits: new Map(),
    answeredAt,
  };
}

function actionsOf({ dividends, splits }: SessionChart): Pick<SymbolHistory, "dividends" | "splits"> {
  return { dividends, splits };
}

function reasonOf(leftOut: readonly string[]): string {
  const rows = leftOut.length === 1 ? "1 row was" : `${leftOut.length} rows were`;
  const more = leftOut.length > ROWS_QUOTED ? ", ..." : "";
  return shorten(`${rows} left out: ${leftOut.slice(0, ROWS_QUOTED).join("; ")}${more}`, LONGEST_REASON);
}
