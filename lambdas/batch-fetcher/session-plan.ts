import { isFinal, type SymbolReport } from "../../domain/batch.ts";
import { DAY_GATES, SUSPECT_KINDS } from "../../domain/day-checks.ts";
import { rawDataKey } from "../../domain/object-keys.ts";
import type { RunSummary } from "../../domain/run-summary.ts";
import { knowsListing, readForComparison, readRunSummary } from "../runtime/earlier-sessions.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { readStoredDay, refuseOtherSource, type StoredDay } from "../runtime/stored-day.ts";
import type { FetchedSessions, FetchedSymbol } from "./fetch-symbol.ts";
import { readMendedDay } from "./mend-day.ts";
import { type StoredSession, storeSession } from "./store-session.ts";

/** The batch for which a session is planned. */
export interface PlannedBatch {
  readonly batchNumber: number | null;
  readonly symbols: readonly string[];
  /** Name of the price source. */
  readonly source: string;
  /** Whether a stored bar that the provider has changed is replaced. */
  readonly takesRevisions: boolean;
  /** Whether its symbols are of the run's own list. Others are asked for before the run's date only. */
  readonly isListed: boolean;
  /** Whether a damaged file is written anew, and a damaged summary passed over. */
  readonly mends: boolean;
}

/** What is stored of one session before a batch asks for it, and what is to become of the answers. */
export interface SessionPlan {
  readonly date: string;
  /** Key of the batch's own file. */
  readonly key: string;
  /** The batch's symbols whose outcome stands. */
  readonly finished: ReadonlyMap<string, SymbolReport>;
  /** Symbols that failed when they were asked for last. */
  readonly failedBefore: ReadonlySet<string>;
  /** Whether a symbol that the session's list has is without an outcome that stands. */
  lacks(symbol: string): boolean;
  /** What is to be reported of a symbol, by what was fetched of it. */
  reportOf(symbol: string, fetched: FetchedSessions | undefined): SymbolReport | undefined;
  /** Stores what was fetched. */
  store(
    fetched: ReadonlyMap<string, FetchedSessions>,
    runtime: Pick<Runtime, "store" | "clock" | "random">,
  ): Promise<StoredSession>;
}

/**
 * Reads what is stored of a session.
 * @param isAsked whether the date is the run's own. Of a session before it only those symbols count that its own run
 *   knew, and bars: today's list says nothing about that day's, unless the day was never run.
 */
export async function planSession(
  runtime: Pick<Runtime, "store" | "logger">,
  date: string,
  { batchNumber, symbols, source, takesRevisions, isListed: isOfList, mends }: PlannedBatch,
  isAsked: boolean,
): Promise<SessionPlan> {
  const { store } = runtime;
  const key = rawDataKey({ date, batchNumber });
  const [day, summary] = await Promise.all([
    mends ? readMendedDay(date, source, runtime) : readStoredDay(store, date),
    isAsked && !takesRevisions ? undefined : mends ? readForComparison(date, runtime) : readRunSummary(store, date),
  ]);
  refuseOtherSource(day, source);
  const reported = symbols.flatMap((symbol) => day.reports.get(symbol) ?? []);
  // A batch without a single bar tells of an outage rather than of its symbols: it is asked again. Of a session that is
  // only filled, the whole day has to tell of one.
  const telling = isAsked || takesRevisions ? reported : [...day.reports.values()];
  const hasBar = telling.some(({ outcome }) => outcome === "fetched");
  const finals = reported.filter(({ outcome }) => isFinal(outcome));
  const finished = new Map((hasBar ? finals : []).map((report) => [report.symbol, report]));
  const doubted = new Set((hasBar ? [] : finals).map(({ symbol }) => symbol));
  const listed =
    summary === undefined || isAsked || !knowsListing(summary) ? undefined : batchSymbols(symbols, summary);
  const isListed = (symbol: string): boolean => (isAsked ? isOfList : listed === undefined || listed.has(symbol));
  const failedBefore = symbolsThatFailed(day);
  const kept = { files: filesOf(day, key, new Set(symbols)) };
  const isRepeated = repeatedIn(summary);
  const counts = ({ bar, report }: FetchedSymbol): boolean => bar !== undefined || isListed(report.symbol);

  return {
    date,
    key,
    finished,
    failedBefore,
    lacks: (symbol) => isListed(symbol) && !finished.has(symbol),
    reportOf(symbol, sessions) {
      const now = sessions?.get(date);
      const known = finished.get(symbol);
      return known === undefined || now?.bar !== undefined ? now?.report : known;
    },
    store: (fetched, runtime) =>
      storeSession(
        {
          ...{ key, day: kept, source, doubted, takesRevisions, needsFile: isAsked },
          mayWithdraw: (symbol) => isRepeated(symbol) && knowsOtherSession(fetched.get(symbol), date),
          fetched: [...fetched.values()].flatMap((sessions) => sessions.get(date) ?? []).filter(counts),
        },
        runtime,
      ),
  };
}

/** Of a batch's symbols those that the summary of a session knows. */
function batchSymbols(symbols: readonly string[], { outcomes }: RunSummary): Set<string> {
  const known = new Set(outcomes.map(({ symbol }) => symbol));
  return new Set(symbols.filter((symbol) => known.has(symbol)));
}

/** The batch's own file, and those with bars of its symbols: a plan of many sessions keeps no others in memory. */
function filesOf({ files }: StoredDay, key: string, symbols: ReadonlySet<string>): StoredDay["files"] {
  return files.filter((file) => file.key === key || file.contents.bars.some(({ symbol }) => symbols.has(symbol)));
}

/**
 * Whether a stored bar was found to be that of the session before again, by itself or with the whole day: of such a bar
 * the provider may have none when it has recovered. Every other bar that is stored is the record.
 */
function repeatedIn(summary: RunSummary | undefined): (symbol: string) => boolean {
  const { findings = [], suspects = [] } = summary?.quality ?? {};
  const isDay = findings.some(({ gate, stops }) => stops && gate === DAY_GATES.repeated);
  const repeated = new Set(suspects.filter(({ kind }) => kind === SUSPECT_KINDS.repeated).map(({ symbol }) => symbol));
  return (symbol) => isDay || repeated.has(symbol);
}

/** Whether the answer had a bar of another session: one without any says nothing about this one. */
function knowsOtherSession(sessions: FetchedSessions | undefined, date: string): boolean {
  return [...(sessions ?? [])].some(([session, { bar }]) => session !== date && bar !== undefined);
}

function symbolsThatFailed({ reports }: StoredDay): Set<string> {
  return new Set([...reports.values()].filter(({ outcome }) => outcome === "failed").map(({ symbol }) => symbol));
}
