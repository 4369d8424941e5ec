import { printable } from "../domain/text.ts";
import { toEpochDays } from "../domain/trading-date.ts";
import { counted } from "./cell-text.ts";
import { columnsOf } from "./column.ts";
import { numberColumn, textColumn } from "./make-column.ts";
import { Table } from "./table.ts";
import { type DisplayBundle, escapeHtml, JUPYTER_DISPLAY } from "./table-html.ts";
import { INSPECT } from "./table-text.ts";

/**
 * What is known of a day: `complete`, `partial` (symbols failed or were deferred) and `failed` (no bar at all) as its
 * run summary and the backfills of the market over it say; `unrecorded`: bars of which neither tells whether all are there;
 * `missing`: a trading day without any of these.
 */
export type DayStatus = "complete" | "partial" | "failed" | "missing" | "unrecorded";

/** One day of a range. */
export type CoverageDay = {
  /** `YYYY-MM-DD`, in Sydney. */
  readonly date: string;
  readonly status: DayStatus;
  /** Bars stored for the day. */
  readonly rows: number;
  /** Symbols to fetch again. */
  readonly unfinished: number;
};

/** A file that was left out because it is missing, damaged or foreign. */
export interface SkippedFile {
  readonly key: string;
  readonly reason: string;
}

/** A code that one company after the other had. */
export interface ReusedCode {
  readonly symbol: string;
  /** Its listings, oldest first; their dates, inclusive, hold every date: null where there is no bound. */
  readonly listings: readonly {
    /** From 1. */
    readonly listing: number;
    readonly name: string;
    readonly from: string | null;
    readonly to: string | null;
  }[];
}

/** What a coverage is made of. */
export interface CoverageParts {
  /** First day asked for, inclusive; null for an empty store. */
  readonly from: string | null;
  /** Last day asked for, inclusive; null for an empty store. */
  readonly to: string | null;
  /** Every trading day from the first to the last, and every other day with bars, oldest first. */
  readonly days: readonly CoverageDay[];
  readonly notSettled?: readonly string[];
  readonly withoutBars?: readonly string[];
  readonly skipped?: readonly SkippedFile[];
  readonly unverified?: readonly string[];
  readonly offlineSince?: Date | null;
  readonly notAdjusted?: readonly string[];
  readonly reusedCodes?: readonly ReusedCode[];
}

/** Dates or keys that a sentence names before it counts the rest. */
const MOST_NAMED = 5;

/** The statuses other than complete, in the order a sentence tells them. */
const INCOMPLETE = ["partial", "failed", "missing", "unrecorded"] as const satisfies readonly DayStatus[];

/** Which days a result holds, and what it lacks. */
export class Coverage {
  /** First day asked for, `YYYY-MM-DD` inclusive; null for an empty store. */
  readonly from: string | null;
  /** Last day asked for, `YYYY-MM-DD` inclusive; null for an empty store. */
  readonly to: string | null;
  /** Every trading day from the first to the last, and every other day with bars, oldest first. */
  readonly days: readonly CoverageDay[];
  /** Trading days of the range whose prices have not settled yet, and of which nothing is stored. */
  readonly notSettled: readonly string[];
  /** Symbols asked for that have no bar in the range: mistyped, or not traded. */
  readonly withoutBars: readonly string[];
  /** Files left out, with the reason. */
  readonly skipped: readonly SkippedFile[];
  /** Keys of files that were read and that nothing vouches for: no run summary, no seal. */
  readonly unverified: readonly string[];
  /** Since when the store could not be reached and only the cache was read; null where it was reached. */
  readonly offlineSince: Date | null;
  /** Dividends that prices were to be adjusted for and are not, with the reason: `BHP 2024-03-07: why`. */
  readonly notAdjusted: readonly string[];
  /** Codes among those asked for, or found, that several companies had: `ABC#2` loads the bars of the second. */
  readonly reusedCodes: readonly ReusedCode[];

  constructor(parts: CoverageParts) {
    const {
      from,
      to,
      days,
      notSettled = [],
      withoutBars = [],
      skipped = [],
      unverified = [],
      offlineSince = null,
      notAdjusted = [],
      reusedCodes = [],
    } = parts;
    this.from = from;
    this.to = to;
    this.days = days;
    this.notSettled = notSettled;
    this.withoutBars = withoutBars;
    this.skipped = skipped;
    this.unverified = unverified;
    this.offlineSince = offlineSince;
    this.notAdjusted = notAdjusted;
    this.reusedCodes = reusedCodes;
  }

  /** Trading days with neither bars nor a run nor a backfill of the market. */
  get missing(): string[] {
    return this.#datesOf("missing");
  }

  /** Days of which symbols have to be fetched again. */
  get partial(): string[] {
    return this.#datesOf("partial");
  }

  /** Days whose run stored no bar. */
  get failed(): string[] {
    return this.#datesOf("failed");
  }

  /** Days whose bars have neither a run summary nor a backfill of the market: whether all are there is not known. */
  get unrecorded(): string[] {
    return this.#datesOf("unrecorded");
  }

  /**
   * Whether the range holds all that was there to fetch: every trading day is complete by its run summary or a backfill, no
   * file was left out, and a summary, record or seal vouches for each. False for an empty store, and where days are still to come.
   */
  get isComplete(): boolean {
    const whole = this.days.every(({ status }) => status === "complete") && this.notSettled.length === 0;
    return this.from !== null && whole && this.skipped.length === 0 && this.unverified.length === 0;
  }

  #datesOf(status: DayStatus): string[] {
    return this.days.filter((day) => day.status === status).map(({ date }) => date);
  }

  /** The days as a table: date, status, rows, unfinished. */
  toTable(): Table<CoverageDay> {
    return tableOf(this.days);
  }

  /** What is there and what is not, a sentence a line. */
  toString(): string {
    const skipped = this.skipped.map(({ key, reason }) => `${key} (${printable(reason)})`);
    const lines = [
      this.#daysText(),
      this.notSettled.length > 0
        ? `${counted(this.notSettled.length, "trading day")} not settled yet: ${someOf(this.notSettled)}`
        : "",
      this.withoutBars.length > 0 ? `no bar of ${someOf(this.withoutBars)}` : "",
      skipped.length > 0 ? `${counted(skipped.length, "file")} left out: ${someOf(skipped)}` : "",
      this.unverified.length > 0
        ? `${counted(this.unverified.length, "file")} that no run summary or seal vouches for: ${someOf(this.unverified)}`
        : "",
      this.reusedCodes.length > 0 ? `reused: ${someOf(this.reusedCodes.map(describeReused))}` : "",
      this.offlineSince === null
        ? ""
        : `the store could not be reached: read from the cache as of ${this.offlineSince.toISOString()}`,
      this.notAdjusted.length > 0
        ? `not adjusted for ${counted(this.notAdjusted.length, "dividend")}: ${someOf(this.notAdjusted)}`
        : "",
    ];
    return lines.filter((line) => line !== "").join("\n");
  }

  #daysText(): string {
    if (this.from === null || this.to === null) return "no day is stored";
    const range = this.from === this.to ? this.from : `${this.from} to ${this.to}`;
    if (this.days.length === 0) return `${range}: no trading day`;
    const complete = this.#datesOf("complete").length;
    const all = counted(this.days.length, "trading day");
    if (complete === this.days.length) return `${range}: ${all}, ${complete === 1 ? "complete" : "all complete"}`;
    const lacking = INCOMPLETE.map((status) => ({ status, dates: this.#datesOf(status) }))
      .filter(({ dates }) => dates.length > 0)
      .map(({ status, dates }) => `${dates.length} ${status} (${someOf(dates)})`);
    return [`${range}: ${all}`, `${complete} complete`, ...lacking].join(", ");
  }

  /** The parts, for `JSON.stringify`. */
  toJSON(): CoverageParts & { readonly isComplete: boolean } {
    const { from, to, isComplete, days, notSettled, withoutBars, skipped, unverified, offlineSince } = this;
    const { notAdjusted, reusedCodes } = this;
    return {
      ...{ from, to, isComplete, days, notSettled, withoutBars, skipped, unverified, offlineSince },
      ...{ notAdjusted, reusedCodes },
    };
  }

  /** What {@link toString} says, as HTML, and a table of the days that are not complete. */
  toHTML(): string {
    const lacking = this.days.filter(({ status }) => status !== "complete");
    return lacking.length === 0 ? this.toNote() : `${this.toNote()}\n${tableOf(lacking).toHTML()}`;
  }

  /** What {@link toString} says, as HTML: to stand below the table whose rows it is about. */
  toNote(): string {
    return `<p>${escapeHtml(this.toString()).replaceAll("\n", "<br>")}</p>`;
  }

  [INSPECT](): string {
    return this.toString();
  }

  [JUPYTER_DISPLAY](): DisplayBundle {
    return { "text/plain": this.toString(), "text/html": this.toHTML() };
  }
}

function tableOf(days: readonly CoverageDay[]): Table<CoverageDay> {
  return new Table<CoverageDay>(
    columnsOf([
      ["date", { kind: "date", values: Int32Array.from(days, ({ date }) => toEpochDays(date)) }],
      ["status", textColumn(days.map(({ status }) => status))],
      ["rows", numberColumn(days.map(({ rows }) => rows))],
      ["unfinished", numberColumn(days.map(({ unfinished }) => unfinished))],
    ]),
  );
}

/** `ABC#1 ACME LIMITED (to 2020-05-01), ABC#2 NOVA LIMITED (from 2020-05-02)`. */
/** `ABC#1 ACME LIMITED (to 2024-05-28) and ABC#2 BOTTLE LIMITED (from 2024-05-29)`; names are the directory's. */
export function describeReused({ symbol, listings }: ReusedCode): string {
  const texts = listings.map(({ listing, name, from, to }) => {
    const dates = [from === null ? "" : `from ${from}`, to === null ? "" : `to ${to}`].filter((part) => part !== "");
    return `${symbol}#${listing} ${printable(name)} (${dates.join(" ")})`;
  });
  return texts.join(" and ");
}

/** The first few of a list, and how many more there are. */
function someOf(texts: readonly string[]): string {
  const rest = texts.length - MOST_NAMED;
  const named = texts.slice(0, MOST_NAMED).map(printable).join(", ");
  return rest > 0 ? `${named} and ${rest} more` : named;
}
