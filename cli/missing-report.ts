import type { MissingDays } from "../aggregator/index.ts";
import type { TradingCalendar } from "../domain/trading-calendar.ts";
import { whole } from "./numbers.ts";
import { renderTable } from "./table.ts";

/** Where the days are, for the commands that mend them. */
export interface MissingReportOptions {
  /** The option that names the store, with a space before it; empty for the default one. */
  readonly where: string;
  /** What a run needs besides, with a space before it: the source of a store of made-up bars. */
  readonly source?: string;
  readonly calendar: Pick<TradingCalendar, "tradingDays">;
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
  unrecorded: "bars without a run summary",
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
export function describeMissing(lacking: MissingDays, { where, source = "", calendar }: MissingReportOptions): string {
  const { from, to } = lacking;
  if (lacking.isNothing) return `${from} to ${to}: nothing is missing.`;
  const dates = lackingDates(lacking);
  const lacks = inRuns(lacksOf(lacking), calendar.tradingDays(from, to));
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
    ...commands(dates, lacking, { where, source }),
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
  const byDate = Map.groupBy(unreadable, ({ date }) => date ?? "compacted");
  return [...byDate].map(([date, files]) => {
    const detail = files.length === 1 ? (files[0]?.key ?? "") : `${whole(files.length)} files cannot be read`;
    return { dates: [date], state: "damaged", detail };
  });
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

function commands(
  dates: readonly string[],
  { from, to }: MissingDays,
  { where, source }: { readonly where: string; readonly source: string },
): string[] {
  if (dates.length <= COMMANDS_SHOWN) {
    return ["To mend them:", ...dates.map((date) => `  npx asx run --date ${date}${where}${source}`)];
  }
  return [
    `To mend them, the first one: npx asx run --date ${dates[0]}${where}${source}`,
    "All of them:",
    `  npx asx missing --dates --from ${from} --to ${to}${where} |`,
    "    while read -r date; do",
    `      npx asx run --date "$date"${where}${source} < /dev/null`,
    "    done",
  ];
}
