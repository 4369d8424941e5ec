import type { Bar } from "../../domain/bar.ts";
import { isFinal, type OutcomeCounts, type SymbolReport } from "../../domain/batch.ts";
import { DAY_GATES } from "../../domain/day-checks.ts";
import { messageOf, StoredFileError } from "../../domain/errors.ts";
import { type DayQuality, RUN_STATUSES, type RunSummary } from "../../domain/run-summary.ts";
import type { TradingCalendar } from "../../domain/trading-calendar.ts";
import { knowsListing, SESSIONS_LOOKED_AT } from "../runtime/earlier-sessions.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { StoredDay } from "../runtime/stored-day.ts";
import { type DayEvidence, dayEvidence, judgeDay, usualRows } from "./day-gates.ts";
import { createSessionReads, type SessionReads } from "./session-reads.ts";
import { suspectBars } from "./suspect-bars.ts";

/** Sessions before a date that its coverage is compared with. */
const SESSIONS_COMPARED = 20;

/** A session as it is stored, and what became of its symbols. */
export interface JudgedSession {
  readonly date: string;
  readonly stored: StoredDay;
  readonly outcomes: readonly SymbolReport[];
  readonly counts: OutcomeCounts;
  /** Whether its symbols were named by hand: how many there are says nothing then. */
  readonly isNamed: boolean;
}

/** What the judgement of a session needs. */
export interface JudgeOptions {
  readonly runtime: Pick<Runtime, "store" | "logger">;
  readonly calendar: TradingCalendar;
  /** What was read of other sessions, where several are judged. Default: nothing yet. */
  readonly reads?: SessionReads;
}

/** Judges a session by its bars, those of the session before and the coverage of the last twenty. */
export async function judgeSession(
  { date, stored, outcomes, counts, isNamed }: JudgedSession,
  { runtime, calendar, reads = createSessionReads(runtime) }: JudgeOptions,
): Promise<DayQuality> {
  const previousBySymbol = await lastBars(date, { runtime, calendar, reads });
  const summaries = await summariesBefore(date, calendar, reads);
  const before = summaries.slice(-SESSIONS_LOOKED_AT).findLast((summary) => summary !== undefined && summary.rows > 0);
  const bars = barsOf(stored);
  const suspects = suspectBars(bars, previousBySymbol);
  const counted = dayEvidence({
    bars,
    previousBars: previousBySymbol,
    tradedBefore: isNamed ? [] : tradedOn(summaries),
    listed: outcomes.filter(({ outcome }) => isFinal(outcome)).map(({ symbol }) => symbol),
    suspects,
  });
  const evidence = {
    ...counted,
    ...comparedWith(before, outcomes),
    split: bars.filter(({ splitRatio, volume }) => volume > 0 && splitRatio !== null).length,
  };
  return {
    traded: evidence.traded,
    usual: usualRows(evidence) ?? null,
    findings: findingsOf(evidence, counts.failed + counts.deferred),
    suspects,
  };
}

/** A day lacks part of the market only where symbols that are still to be fetched cannot make up for it. */
function findingsOf(evidence: DayEvidence, unfinished: number): DayQuality["findings"] {
  const atBest = judgeDay({ ...evidence, traded: evidence.traded + unfinished });
  return judgeDay(evidence).flatMap((finding) =>
    finding.gate === DAY_GATES.coverage ? atBest.filter(({ gate }) => gate === DAY_GATES.coverage) : finding,
  );
}

/** How many of the symbols that had a bar the session before are unknown or invalid now. */
function comparedWith(
  before: RunSummary | undefined,
  outcomes: readonly SymbolReport[],
): Pick<DayEvidence, "hadBar" | "unusable"> {
  const withBar = new Set(before?.outcomes.filter(({ outcome }) => outcome === "fetched").map(({ symbol }) => symbol));
  const now = outcomes.filter(({ symbol, outcome }) => withBar.has(symbol) && isFinal(outcome));
  const unusable = now.filter(({ outcome }) => outcome === "notFound" || outcome === "invalid");
  return { hadBar: now.length, unusable: unusable.length };
}

/** The last bar of each symbol in the five sessions before a date; a session of which a file is damaged is passed over. */
async function lastBars(
  date: string,
  { runtime, calendar, reads }: Required<JudgeOptions>,
): Promise<ReadonlyMap<string, Bar>> {
  const last = new Map<string, Bar>();
  let session = date;
  for (let looked = 0; looked < SESSIONS_LOOKED_AT; looked += 1) {
    session = calendar.previousTradingDay(session);
    for (const bar of await barsForComparison(session, reads, runtime))
      if (!last.has(bar.symbol)) last.set(bar.symbol, bar);
  }
  return last;
}

async function barsForComparison(
  date: string,
  reads: SessionReads,
  { logger }: JudgeOptions["runtime"],
): Promise<readonly Bar[]> {
  try {
    return barsOf(await reads.day(date));
  } catch (error) {
    if (!(error instanceof StoredFileError)) throw error;
    logger.warn(messageOf(error), { date });
    return [];
  }
}

function barsOf({ files }: StoredDay): Bar[] {
  return files.flatMap(({ contents }) => contents.bars);
}

/** Share of a day's symbols that may be unfinished where the day is to be compared with. */
const LARGEST_UNFINISHED_SHARE = 0.02;

/** The run summaries of the sessions before a date, oldest first; undefined where one has none. */
async function summariesBefore(
  date: string,
  calendar: TradingCalendar,
  reads: SessionReads,
): Promise<readonly (RunSummary | undefined)[]> {
  const dates: string[] = [];
  for (let session = date; dates.length < SESSIONS_COMPARED; dates.unshift(session)) {
    session = calendar.previousTradingDay(session);
  }
  return Promise.all(dates.map((session) => reads.summary(session)));
}

/** How many symbols traded on each of the sessions that are as good as whole. */
function tradedOn(summaries: readonly (RunSummary | undefined)[]): number[] {
  return summaries.flatMap((summary) =>
    summary !== undefined && isWhole(summary) ? (summary.quality?.traded ?? []) : [],
  );
}

/** One symbol that fails every day does not keep the days from being compared with. */
function isWhole(summary: RunSummary): boolean {
  const { status, counts, symbols } = summary;
  const unfinished = counts.failed + counts.deferred;
  return (
    status !== RUN_STATUSES.failed && knowsListing(summary) && unfinished <= symbols.total * LARGEST_UNFINISHED_SHARE
  );
}
