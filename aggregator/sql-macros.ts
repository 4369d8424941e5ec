import { sqlText } from "./sql-text.ts";

/** What a query can call like a table: each takes how prices are adjusted, `none`, `splits` or `all`. */
export const SQL_MACROS = ["adjusted_bars", "weekly_bars", "monthly_bars", "returns"] as const;

/** The schemas that the macros' tables are in. */
export interface MacroSchemas {
  readonly bars: string;
  readonly factors: string;
  /** As {@link createPeriods} makes it. */
  readonly periods: string;
}

/** Statements that make the macros in a schema. They name their tables with schemas, so that no table of a query stands before them. */
export function createMacros(schema: string, schemas: MacroSchemas): string[] {
  const macro = (name: (typeof SQL_MACROS)[number], query: string): string =>
    `CREATE MACRO ${schema}.${name}(kind) AS TABLE ${query}`;
  return [
    macro("adjusted_bars", adjustedBars(schemas)),
    macro("weekly_bars", periodBars(schema, schemas, "week_end")),
    macro("monthly_bars", periodBars(schema, schemas, "month_end")),
    macro("returns", returns(schema, schemas)),
  ];
}

/** What an unknown kind is told. */
export const UNKNOWN_KIND = "give 'none', 'splits' or 'all' as the kind of adjusting, not ";

/**
 * One row; an unknown kind is an error, not unadjusted bars. The arguments of a table function are computed where a query is
 * planned: a condition would never be asked where no row comes to it.
 */
const KNOWN_KIND = `repeat(true, CASE WHEN kind IN ('none', 'splits', 'all') THEN 1
  ELSE error(${sqlText(UNKNOWN_KIND)} || coalesce('''' || kind || '''', 'NULL')) END)`;

/** Up to when splits are in a bar's values: `basisInstant` of `domain/split-basis.ts` says the same. */
const BASIS = "greatest(b.fetch_timestamp, b.date + INTERVAL 14 HOUR)";

/**
 * Bars as a load gives them with the option `adjust`, by the same arithmetic. Where the kind asks for no factors, the joins
 * are with nothing, and cost nothing.
 */
function adjustedBars({ bars, factors }: MacroSchemas): string {
  const split = "coalesce(s.factor, 1)";
  const dividend = "coalesce(d.factor, 1)";
  const price = (name: string): string =>
    `CASE WHEN kind = 'all' THEN b.${name} * ${dividend} / ${split} ELSE b.${name} / ${split} END AS ${name}`;
  return `SELECT b.symbol, b.date, ${["open", "high", "low", "close"].map(price).join(", ")},
    CASE WHEN kind = 'none' THEN b.adjusted_close ELSE b.close * ${dividend} / ${split} END AS adjusted_close,
    CASE WHEN ${split} = 1 THEN b.volume ELSE floor(b.volume * s.factor + 0.5)::BIGINT END AS volume,
    b.dividend / ${split} AS dividend, b.split_ratio, b.fetch_timestamp, b.batch_number
    FROM ${bars}.bars AS b
    LEFT JOIN (FROM ${factors}.split_factors, ${KNOWN_KIND} WHERE kind <> 'none') AS s
      ON s.symbol = b.symbol AND b.date >= s.first_date AND b.date < s.next_date AND ${BASIS} >= s.since AND ${BASIS} < s.until
    LEFT JOIN (FROM ${factors}.dividend_factors WHERE kind <> 'none') AS d
      ON d.symbol = b.symbol AND b.date >= d.since AND b.date < d.until`;
}

/**
 * Statements that make, in a schema, the tables of the companies of codes that several had, and of the periods of every date. A company's last week and month end
 * on the last trading day before the next company: they are periods of that company, by its `ending`; all others are
 * everyone's. So `week_end` stays a column of one table, and a condition on it reaches the files.
 */
export function createPeriods(
  schema: string,
  { calendar, factors }: { readonly calendar: string; readonly factors: string },
): string[] {
  return [
    `CREATE TABLE ${schema}.companies AS
      SELECT k.*, k.symbol || ' ' || k.until AS ending, max(c.date) AS last_date,
        least(date_trunc('week', max(c.date)), date_trunc('month', max(c.date)))::DATE AS ending_since
      FROM ${factors}.companies AS k LEFT JOIN ${calendar}.calendar AS c ON c.date < k.until AND k.until < 'infinity'
      GROUP BY ALL`,
    `CREATE TABLE ${schema}.periods AS
      SELECT '' AS ending, date, week_end, month_end FROM ${calendar}.calendar
      UNION ALL
      SELECT k.ending, c.date, least(c.week_end, k.last_date), least(c.month_end, k.last_date)
      FROM ${schema}.companies AS k JOIN ${calendar}.calendar AS c ON c.date >= k.ending_since AND c.date < k.until`,
  ];
}

/** Joins bars `b` with the company `k` that had the code, where it had several. */
function withCompany({ periods }: MacroSchemas): string {
  return `LEFT JOIN ${periods}.companies AS k ON k.symbol = b.symbol AND b.date >= k.since AND b.date < k.until`;
}

function periodBars(schema: string, schemas: MacroSchemas, end: "week_end" | "month_end"): string {
  return `SELECT b.symbol, c.${end} AS date, arg_min(b.open, b.date) AS open, max(b.high) AS high, min(b.low) AS low,
    arg_max(b.close, b.date) AS close, arg_max_null(b.adjusted_close, b.date) AS adjusted_close,
    sum(b.volume)::BIGINT AS volume, sum(b.dividend) AS dividend, product(b.split_ratio) AS split_ratio,
    count(*) AS sessions
    FROM ${schema}.adjusted_bars(kind) AS b ${withCompany(schemas)}
    JOIN ${schemas.periods}.periods AS c
      ON c.date = b.date AND c.ending = CASE WHEN b.date >= k.ending_since THEN k.ending ELSE '' END
    GROUP BY b.symbol, c.${end}`;
}

/** Partitions by company would take three times as long as those by symbol. */
function returns(schema: string, schemas: MacroSchemas): string {
  const change = (name: string): string => `CASE WHEN lag(b.date) OVER bars_of_symbol < k.since THEN NULL
      ELSE b.${name} / nullif(lag(b.${name}) OVER bars_of_symbol, 0) - 1 END`;
  return `SELECT b.symbol, b.date, ${change("close")} AS simple_return, ${change("adjusted_close")} AS total_return
    FROM ${schema}.adjusted_bars(kind) AS b ${withCompany(schemas)}
    WINDOW bars_of_symbol AS (PARTITION BY b.symbol ORDER BY b.date)`;
}
