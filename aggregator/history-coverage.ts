import { BACKFILL_STATUSES } from "../domain/backfill.ts";
import { RUN_STATUSES } from "../domain/run-summary.ts";
import type { Catalog } from "./catalog.ts";
import type { DayStatus } from "./coverage.ts";
import type { StoredBackfill } from "./history-record.ts";
import type { RunRecord } from "./run-record.ts";

/** How a day stands by its run and the backfills over it. */
export interface DayStanding {
  readonly status: DayStatus;
  /** Symbols to fetch again. */
  readonly unfinished: readonly string[];
}

/** Says how a day stands; `rows` are the bars that can be read of it, undefined where none is stored. */
export type StandingOf = (date: string, rows: number | undefined) => DayStanding;

/** A backfill with its settled symbols to be looked up. */
interface Settling {
  readonly backfill: StoredBackfill;
  readonly settled: ReadonlySet<string>;
}

/**
 * Says how each day of a catalog stands. Backfills of symbols that were named by hand say nothing of a day as a whole, but
 * what they settled after a run, or after another backfill, is settled.
 */
export function dayStandings({ runs, backfills }: Pick<Catalog, "runs" | "backfills">): StandingOf {
  const all = backfills.map((backfill): Settling => ({ backfill, settled: new Set(backfill.finals) }));
  return (date, rows) => {
    const isStored = rows !== undefined;
    const run = runs.get(date);
    const covering = all.filter(({ backfill }) => backfill.from <= date && date <= backfill.to);
    if (covering.length === 0) return { status: statusOf(run, isStored), unfinished: run?.unfinished ?? [] };
    return run === undefined || run.status === RUN_STATUSES.marketClosed
      ? byBackfills(covering, rows)
      : byRun(run, covering, { date, rows });
  };
}

function statusOf(run: RunRecord | undefined, isStored: boolean): DayStatus {
  if (run === undefined) return isStored ? "unrecorded" : "missing";
  return run.status === RUN_STATUSES.marketClosed ? "unrecorded" : run.status;
}

/**
 * A day without a run that tells. The backfill of the market that was finished last tells, where none is complete. A whole
 * market without a bar cannot be right: such a day is to be run, which finds out whether the market was closed.
 */
function byBackfills(covering: readonly Settling[], rows: number | undefined): DayStanding {
  const full = covering.filter(({ backfill: { isFull, status } }) => isFull && status !== BACKFILL_STATUSES.failed);
  const last = full.toSorted((left, right) => finishedAtMs(right) - finishedAtMs(left))[0];
  const hasBars = rows !== undefined && rows > 0;
  const isComplete = full.some(({ backfill: { status } }) => status === BACKFILL_STATUSES.complete);
  if (isComplete) return hasBars ? COMPLETE : FAILED;
  if (last === undefined) return { status: rows === undefined ? "missing" : "unrecorded", unfinished: [] };
  const found = standing(stillUnfinished(last.backfill.unfinished, finishedAfter(covering, last.backfill.finishedAt)));
  return found === COMPLETE && !hasBars ? FAILED : found;
}

/** A day with a run: what was unfinished then may be settled now. A run that failed as a whole is mended by newer bars of the market's backfill alone. */
function byRun(
  run: RunRecord,
  covering: readonly Settling[],
  { date, rows }: { readonly date: string; readonly rows: number | undefined },
): DayStanding {
  const later = finishedAfter(covering, run.finishedAt);
  const unfinished = stillUnfinished(run.unfinished, later);
  if (run.status === RUN_STATUSES.complete) return { status: "complete", unfinished };
  if (run.status === RUN_STATUSES.partial) return standing(unfinished);
  // What a gate refused, newer bars alone can mend.
  const market = byBackfills(
    later.filter(({ backfill: { days } }) => (days[date] ?? 0) > 0),
    rows,
  );
  if (market.status !== "complete" && market.status !== "partial") return { status: "failed", unfinished };
  return standing([...new Set([...unfinished, ...market.unfinished])]);
}

const COMPLETE: DayStanding = { status: "complete", unfinished: [] };
const FAILED: DayStanding = { status: "failed", unfinished: [] };

function standing(unfinished: readonly string[]): DayStanding {
  return unfinished.length === 0 ? COMPLETE : { status: "partial", unfinished };
}

function finishedAfter(covering: readonly Settling[], instant: string): Settling[] {
  return covering.filter((each) => finishedAtMs(each) > Date.parse(instant));
}

/** Instants are compared as such: they need not have as many decimals each. */
function finishedAtMs({ backfill }: Settling): number {
  return Date.parse(backfill.finishedAt);
}

function stillUnfinished(symbols: readonly string[], settling: readonly Settling[]): string[] {
  return symbols.filter((symbol) => !settling.some(({ settled }) => settled.has(symbol)));
}
