import type { OutcomeCounts } from "../domain/batch.ts";
import type { Listing } from "../domain/listing.ts";
import type { Seen } from "./bar-reader.ts";
import type { ListedSymbols } from "./listed-symbols.ts";
import type { Reader } from "./offline-reader.ts";
import { lastDates, monthEnd, weekEnd } from "./period-ends.ts";
import type { RunRecord } from "./run-record.ts";
import type { SqlRow, SqlTable } from "./sql-table.ts";

const COUNTS: Readonly<Record<keyof OutcomeCounts, string>> = {
  fetched: "fetched",
  noTrade: "no_trade",
  notFound: "not_found",
  invalid: "invalid",
  failed: "failed",
  deferred: "deferred",
};

/** `runs`: a row a date that has a run, with its status and counts. */
export const RUNS_TABLE: SqlTable = {
  name: "runs",
  columns: [
    ["date", "DATE"],
    ["status", "VARCHAR"],
    ["started_at", "TIMESTAMP"],
    ["finished_at", "TIMESTAMP"],
    ["listed", "BIGINT"],
    ["rows", "BIGINT"],
    ...Object.values(COUNTS).map((name) => [name, "BIGINT"] as const),
    ["unfinished", "VARCHAR[]"],
  ],
  at: ({ catalog }) => ({ mark: catalog.mark, rows: () => Array.from(catalog.runs, runRow) }),
};

function runRow([date, run]: [string, RunRecord]): SqlRow {
  const counts = Object.keys(COUNTS).map((outcome) => countOf(run.counts, outcome));
  return [date, run.status, run.startedAt, run.finishedAt, run.listed, run.rows, ...counts, run.unfinished];
}

function countOf(counts: OutcomeCounts, outcome: string): number {
  return Object.entries(counts).find(([name]) => name === outcome)?.[1] ?? 0;
}

/** `symbols`: the newest list. */
export function symbolsTable(listed: ListedSymbols): SqlTable {
  return {
    name: "symbols",
    columns: [
      ["symbol", "VARCHAR"],
      ["name", "VARCHAR"],
      ["industry_group", "VARCHAR"],
      ["listing_date", "DATE"],
      ["market_cap", "DOUBLE"],
    ],
    at: async ({ offlineSince }) => {
      const listings = (await listed.newest("9999-12-31", offlineSince !== null))?.listings ?? [];
      return { mark: JSON.stringify(listings), rows: () => listings.map(symbolRow) };
    },
  };
}

function symbolRow({ symbol, name, industryGroup, listingDate, marketCap }: Listing): SqlRow {
  return [symbol, name, industryGroup, listingDate, marketCap];
}

/**
 * `calendar`: every trading day from the first stored date to the last, with the last one of its week and of its month. A day
 * with bars that the calendar does not have is one too.
 */
export function calendarTable(reader: Pick<Reader, "coverage">): SqlTable {
  return {
    name: "calendar",
    columns: [
      ["date", "DATE"],
      ["week_end", "DATE"],
      ["month_end", "DATE"],
    ],
    at: (seen: Seen) => {
      const dates = reader.coverage(seen).days.map(({ date }) => date);
      return { mark: dates.join(" "), rows: () => calendarRows(dates) };
    },
  };
}

function calendarRows(dates: readonly string[]): SqlRow[] {
  const [weeks, months] = [lastDates(dates, weekEnd), lastDates(dates, monthEnd)];
  return dates.map((date, index) => [date, weeks[index] ?? date, months[index] ?? date]);
}
