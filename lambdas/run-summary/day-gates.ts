import type { Bar } from "../../domain/bar.ts";
import { DAY_GATES, type DayGate, SUSPECT_KINDS } from "../../domain/day-checks.ts";
import { repeats, type SuspectBar } from "./suspect-bars.ts";

/** What a gate has against a day. */
export interface DayFinding {
  readonly gate: DayGate;
  /** Whether the day must not pass for good; else it is a warning. */
  readonly stops: boolean;
  /** The numbers, the threshold and what to do, in sentences. */
  readonly detail: string;
}

/** A plain run, and a catch-up without --reread, asks for no bar that is stored. */
const READ_AGAIN =
  "read the sessions again when it has recovered: asx catch-up --reread, or asx execute --catch-up --reread --again; " +
  "with --date of this day once it lies over five sessions back.";

/** Companies so large that a session without any of them is none. */
export const LARGE_COMPANIES: readonly string[] = [
  "BHP",
  "CBA",
  "CSL",
  "NAB",
  "WBC",
  "WES",
  "TLS",
  "MQG",
  "RIO",
  "WOW",
];

/** What the gates judge. A row is a bar with volume above 0. */
export interface DayEvidence {
  /** Rows of the day. */
  readonly traded: number;
  /** Rows of each of the sessions before, oldest first; the last 20 count. */
  readonly tradedBefore: readonly number[];
  /** Rows of the day that equal the session before in all five values. */
  readonly repeated: number;
  /** Bars of the day whose price jumped, or looks like an unapplied split. */
  readonly jumped: number;
  /** Symbols that had a bar the session before and have a final outcome now; 0 where none was stored. */
  readonly hadBar?: number;
  /** Those of them that the provider does not know, or whose bar is invalid. */
  readonly unusable?: number;
  /** Bars with a split event. */
  readonly split?: number;
  /** How many of the large companies are listed. */
  readonly largeListed: number;
  /** How many of the listed large companies have a row. */
  readonly largeTraded: number;
}

/** Per cent of the median of the last sessions below which coverage stops a day. The lowest genuine day of 2008 to 2024 had 79. */
const COVERAGE_STOP_PERCENT = 75;
const COVERAGE_WARN_PERCENT = 85;
const COVERAGE_SESSIONS = 20;
/** The median of five is right while two of them were bad days themselves. */
const COVERAGE_LEAST_SESSIONS = 5;

/** Per cent of the rows. A genuine day had 0.6 in one of a thousand, files that are wrong 13 and more. */
const REPEATED_STOP_PERCENT = 5;

/** Per cent of the rows. The most of 105 genuine days of 2024 was 0.12. */
const JUMPS_STOP_PERCENT = 2;

/**
 * Per cent of the symbols that had a bar the session before. Of some 1,980 codes 43 left the exchange in three months, and
 * of a million rows 370 break an invariant (UPSTREAM.md).
 */
const UNUSABLE_WARN_PERCENT = 1;
const UNUSABLE_STOP_PERCENT = 5;

/** Per cent of the rows, as for jumps: on no session of 2024 did more than two bars look like an unapplied split. */
const SPLITS_STOP_PERCENT = 2;

/**
 * Fewest rows, of the day or of the median, that have a share worth judging: of 100 rows six must be
 * equal by chance to stop a day, and 25 missing; of ten, one and three.
 */
const LEAST_ROWS = 100;

/** Fewest of the large companies listed: a list of one's own may hold one or two, and these in a trading halt. */
const LEAST_LARGE_LISTED = 5;

/**
 * Counts what the gates judge.
 * @param day `bars` of the date; `previousBars` of the session before it, by symbol (empty where none are stored);
 * `tradedBefore` as in {@link DayEvidence}; `listed` symbols whose outcome is final, as one that could not be asked
 * says nothing about the market; `suspects` as {@link suspectBars} found them.
 */
export function dayEvidence(day: {
  readonly bars: readonly Bar[];
  readonly previousBars: ReadonlyMap<string, Bar>;
  readonly tradedBefore: readonly number[];
  readonly listed: Iterable<string>;
  readonly suspects: readonly SuspectBar[];
}): DayEvidence {
  const rows = day.bars.filter(({ volume }) => volume > 0);
  const traded = new Set(rows.map(({ symbol }) => symbol));
  const listed = new Set(day.listed);
  const largeListed = LARGE_COMPANIES.filter((symbol) => listed.has(symbol));
  const repeated = rows.filter((bar) => {
    const before = day.previousBars.get(bar.symbol);
    return before !== undefined && repeats(bar, before);
  });
  const jumped = day.suspects.filter(
    ({ symbol, kind }) =>
      traded.has(symbol) && (kind === SUSPECT_KINDS.priceJump || kind === SUSPECT_KINDS.unappliedSplit),
  );
  return {
    traded: traded.size,
    tradedBefore: day.tradedBefore,
    repeated: repeated.length,
    jumped: jumped.length,
    largeListed: largeListed.length,
    largeTraded: largeListed.filter((symbol) => traded.has(symbol)).length,
  };
}

/**
 * Judges a day as a whole: an upstream that has no data for half of the market, or yesterday's again, is at fault
 * even where every single answer is well formed.
 *
 * Measured on 105 sessions of 2024: coverage 0.967 to 1.061 (median 1.003), repeated rows 0 to 0.25 %
 * (median 0.06 %), jumps 0 to 0.12 % (median 0), and all ten large companies on every day.
 * @returns the findings, none for a day in order. The day passes while none of them stops it.
 */
export function judgeDay(evidence: DayEvidence): DayFinding[] {
  return [
    judgeCoverage(evidence),
    judgeRepeated(evidence),
    judgeJumps(evidence),
    judgeUnusable(evidence),
    judgeSplits(evidence),
    judgeLargeCompanies(evidence),
  ].filter((finding) => finding !== undefined);
}

/** The median of the rows of the last 20 sessions; undefined where fewer than five are known. */
export function usualRows({ tradedBefore }: Pick<DayEvidence, "tradedBefore">): number | undefined {
  const sessions = tradedBefore.slice(-COVERAGE_SESSIONS);
  return sessions.length < COVERAGE_LEAST_SESSIONS ? undefined : median(sessions);
}

function judgeCoverage({ traded, tradedBefore }: DayEvidence): DayFinding | undefined {
  const sessions = tradedBefore.slice(-COVERAGE_SESSIONS);
  const usual = usualRows({ tradedBefore });
  if (usual === undefined || usual < LEAST_ROWS || traded * 100 >= usual * COVERAGE_WARN_PERCENT) return undefined;
  const stops = traded * 100 < usual * COVERAGE_STOP_PERCENT;
  const limit = stops ? COVERAGE_STOP_PERCENT : COVERAGE_WARN_PERCENT;
  return {
    gate: DAY_GATES.coverage,
    stops,
    detail:
      `${traded} symbols traded, less than ${limit} % of ${usual}, the median of the last ${sessions.length} sessions. ` +
      (stops
        ? `The provider lacks part of the market, or the exchange had an outage: ${READ_AGAIN}`
        : "The day passes; compare it with the exchange's own figures if it was no quiet day."),
  };
}

function judgeRepeated({ traded, repeated }: DayEvidence): DayFinding | undefined {
  if (traded < LEAST_ROWS || repeated * 100 <= traded * REPEATED_STOP_PERCENT) return undefined;
  return {
    gate: DAY_GATES.repeated,
    stops: true,
    detail:
      `${repeated} of ${traded} symbols that traded have the prices and the volume of the session before, more than ` +
      `${REPEATED_STOP_PERCENT} %. The provider serves old bars under this date: ${READ_AGAIN}`,
  };
}

function judgeJumps({ traded, jumped }: DayEvidence): DayFinding | undefined {
  if (traded < LEAST_ROWS || jumped * 100 <= traded * JUMPS_STOP_PERCENT) return undefined;
  return {
    gate: DAY_GATES.jumps,
    stops: true,
    detail:
      `${jumped} of ${traded} symbols that traded have prices of another level than before, more than ` +
      `${JUMPS_STOP_PERCENT} %. The provider's unit or its adjustment for splits is wrong, on this date or before it: ` +
      `compare some of the suspect bars with another source, and ${READ_AGAIN}`,
  };
}

function judgeUnusable({ hadBar = 0, unusable = 0 }: DayEvidence): DayFinding | undefined {
  if (hadBar < LEAST_ROWS || unusable * 100 <= hadBar * UNUSABLE_WARN_PERCENT) return undefined;
  const stops = unusable * 100 > hadBar * UNUSABLE_STOP_PERCENT;
  return {
    gate: DAY_GATES.unusable,
    stops,
    detail:
      `Of ${hadBar} symbols that had a bar the session before ${unusable} are unknown to the provider now, or their bar is ` +
      `invalid: more than ${stops ? UNUSABLE_STOP_PERCENT : UNUSABLE_WARN_PERCENT} %. Look at some of them, and ${READ_AGAIN}`,
  };
}

function judgeSplits({ traded, split = 0 }: DayEvidence): DayFinding | undefined {
  if (traded < LEAST_ROWS || split * 100 <= traded * SPLITS_STOP_PERCENT) return undefined;
  return {
    gate: DAY_GATES.splits,
    stops: true,
    detail: `${split} of ${traded} symbols that traded have a split event, more than ${SPLITS_STOP_PERCENT} %. Splits are rare: ${READ_AGAIN}`,
  };
}

function judgeLargeCompanies({ largeListed, largeTraded }: DayEvidence): DayFinding | undefined {
  if (largeListed < LEAST_LARGE_LISTED || largeTraded > 0) return undefined;
  return {
    gate: DAY_GATES.largeCompanies,
    stops: true,
    detail:
      `None of the ${largeListed} listed of ${LARGE_COMPANIES.join(", ")} traded. A closure of the exchange or an ` +
      `outage is suspected: configure the date as closed if it was; if not, ${READ_AGAIN}`,
  };
}

function median(counts: readonly number[]): number {
  const sorted = counts.toSorted((left, right) => left - right);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}
