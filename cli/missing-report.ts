import type { MissingDays } from "../aggregator/index.ts";
import { MOST_FILL_DAYS } from "../domain/batch.ts";
import { actionsPrefix, curatedPrefix } from "../domain/object-keys.ts";
import type { TradingCalendar } from "../domain/trading-calendar.ts";
import { daysBetween } from "../domain/trading-date.ts";
import { whole } from "./numbers.ts";
import { renderTable } from "./table.ts";

/** Where the days are, for the commands that mend them. */
export interface MissingReportOptions {
  /** The option that names the store, with a space before it; empty for the default one. */
  readonly where: string;
  /** What a run needs besides, with a space before it: the source of a store of made-up bars. */
  readonly source?: string;
  readonly calendar: Pick<TradingCalendar, "tradingDays">;
  /** The last finished trading day: a catch-up reaches some days back from it. */
  readonly last: string;
}

/** A day, or trading days that follow each other, with what is lacking. */
interface Lack {
  readonly dates: readonly string[];
  readonly state: "no run" | "partial" | "failed" | "unrecorded" | "damaged";
  readonly detail: string;
}

const DETAILS = {
  "no run": "",
  failed: "no bar, or cannot be right",
  unrecorded: "bars without a run or a backfill of the market",
} as const;

const SYMBOLS_NAMED = 3;
const COMMANDS_SHOWN = 5;
/** Rows of the table; many days that follow each other in the same state are one row. */
const ROWS_SHOWN = 40;

/** The dates to run again, oldest first. */
export function lackingDates({ days, failed, partial, unrecorded, unreadable }: MissingDays): string[] {
  const damaged = unreadable.flatMap(({ date }) => date ?? []);
  return [...new Set([...days, ...failed, ...partial.map(({ date }) => date), ...unrecorded, ...damaged])].sort();
}

/** What is lacking as a table, and the commands that mend it. */
export function describeMissing(lacking: MissingDays, options: MissingReportOptions): string {
  const { from, to } = lacking;
  if (lacking.isNothing) return `${from} to ${to}: nothing is missing.`;
  const dates = lackingDates(lacking);
  const lacks = inRuns(lacksOf(lacking), options.calendar.tradingDays(from, to));
  const rows = lacks
    .slice(0, ROWS_SHOWN)
    .map(({ dates: those, state, detail }) => [spanOf(those), state, countOf(those, detail)]);
  const table = renderTable(
    ["days", "state", "what"].map((heading) => ({ heading, align: "left" })),
    rows,
  );
  const more = lacks.length - rows.length;
  return [
    `${from} to ${to}: ${whole(dates.length)} ${dates.length === 1 ? "day is" : "days are"} not whole.`,
    "",
    table,
    ...(more > 0 ? [`and ${whole(more)} more; --json names all`] : []),
    "",
    ...commands(dates, lacking, options),
  ].join("\n");
}

function lacksOf({ days, failed, partial, unrecorded, unreadable }: MissingDays): Lack[] {
  const alike = (state: keyof typeof DETAILS, dates: readonly string[]): Lack[] =>
    dates.map((date) => ({ dates: [date], state, detail: DETAILS[state] }));
  const lacks = [
    ...alike("no run", days),
    ...alike("failed", failed),
    ...partial.map(({ date, symbols }): Lack => ({ dates: [date], state: "partial", detail: named(symbols) })),
    ...alike("unrecorded", unrecorded),
    ...damagedDays(unreadable),
  ];
  return lacks.sort((one, other) => ((one.dates[0] ?? "") < (other.dates[0] ?? "") ? -1 : 1));
}

/** A row for each date that has files that cannot be read. */
function damagedDays(unreadable: MissingDays["unreadable"]): Lack[] {
  const byDate = Map.groupBy(unreadable, ({ date, key }) => date ?? whatIs(key));
  return [...byDate].map(([date, files]) => {
    const detail = files.length === 1 ? (files[0]?.key ?? "") : `${whole(files.length)} files cannot be read`;
    return { dates: [date], state: "damaged", detail };
  });
}

/** What a file is that is of no single date. */
function whatIs(key: string): string {
  if (key.startsWith(actionsPrefix)) return "actions";
  return key.startsWith(curatedPrefix) ? "compacted" : "backfill";
}

/** Trading days that follow each other in the same state become one. */
function inRuns(lacks: readonly Lack[], tradingDays: readonly string[]): Lack[] {
  const positions = new Map(tradingDays.map((date, position) => [date, position]));
  const positionOf = (date: string | undefined): number => positions.get(date ?? "") ?? Number.NaN;
  const runs: Lack[] = [];
  for (const lack of lacks) {
    const last = runs.at(-1);
    const follows = positionOf(last?.dates.at(-1)) + 1 === positionOf(lack.dates[0]);
    if (
      last === undefined ||
      !follows ||
      last.state !== lack.state ||
      lack.state === "partial" ||
      lack.state === "damaged"
    )
      runs.push(lack);
    else runs[runs.length - 1] = { ...last, dates: [...last.dates, ...lack.dates] };
  }
  return runs;
}

function spanOf(dates: readonly string[]): string {
  const [first = "", last = ""] = [dates[0], dates.at(-1)];
  return dates.length === 1 ? first : `${first} to ${last}`;
}

function countOf(dates: readonly string[], detail: string): string {
  if (dates.length === 1) return detail;
  return [`${whole(dates.length)} days`, ...(detail === "" ? [] : [detail])].join(": ");
}

function named(symbols: readonly string[]): string {
  const more = symbols.length - SYMBOLS_NAMED;
  const some = symbols.slice(0, SYMBOLS_NAMED).join(", ");
  return `${whole(symbols.length)} to fetch again: ${some}${more > 0 ? ", ..." : ""}`;
}

/** The fewest requests that mend all: a catch-up reaches some days back, a backfill any number; files are mended day by day. */
function commands(
  dates: readonly string[],
  { unreadable }: MissingDays,
  { where, source = "", last }: MissingReportOptions,
): string[] {
  const many = unreadable.filter(({ date }) => date === null).map(({ key, reason }) => `${key}: ${reason}`);
  const [first = last, end = last] = [dates[0], dates.at(-1)];
  const days = daysBetween(first, last) + 1;
  const run = (date: string): string => `  npx asx run --date ${date}${where}${source}`;
  if (dates.length === 0) return many;
  if (dates.length > 1 && days <= MOST_FILL_DAYS && end <= last) {
    return ["To mend them:", `  npx asx catch-up --days ${days}${where}${source}`, ...many];
  }
  if (dates.length <= COMMANDS_SHOWN) return ["To mend them:", ...dates.map(run), ...many];
  const damaged = dates.filter((date) => unreadable.some((file) => file.date === date));
  const more = damaged.length - COMMANDS_SHOWN;
  return [
    "To mend them, in one request a symbol:",
    `  npx asx backfill --from ${first} --to ${end}${where}${source}`,
    ...(damaged.length > 0 ? ["and those of which a file cannot be read:"] : []),
    ...damaged.slice(0, COMMANDS_SHOWN).map(run),
    ...(more > 0 ? [`  and ${whole(more)} more; --json names all`] : []),
    ...many,
  ];
}
