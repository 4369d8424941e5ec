import type { AdjustmentFactors, CodeBeginnings, DividendFactor, SplitFactor } from "../domain/adjustment.ts";
import type { SqlColumns, SqlRow } from "./sql-table.ts";

/** The factors and the companies of codes at a state of the store. */
export interface SqlFactors {
  /** Changes whenever any of them does. */
  readonly mark: string;
  /** In order of symbol, and of instant or ex-date. */
  readonly rows: () => Promise<
    Pick<AdjustmentFactors, "splits" | "dividends"> & { readonly beginnings: CodeBeginnings }
  >;
}

/** A table that the macros go by; no query of a user sees it. */
export interface FactorTable {
  readonly name: string;
  readonly columns: SqlColumns;
  readonly rows: readonly SqlRow[];
}

/**
 * Tables of factors: `since` is inclusive, `until` exclusive, and of a symbol's rows each begins where the one before ends.
 * By both a join by hash finds a bar's factor; an ASOF join, which would do with `until`, sorts all bars first. A split's are
 * of the bars of the company that had it, whose dates are in `first_date`, inclusive, and `next_date`, exclusive.
 *
 * `companies` has the dates of those that had a code one after the other; a code with one company has no row.
 */
export async function factorTables({ rows }: SqlFactors): Promise<FactorTable[]> {
  const { splits, dividends, beginnings } = await rows();
  return [
    { name: "split_factors", columns: SPLIT_COLUMNS, rows: splitRows(splits) },
    { name: "dividend_factors", columns: DIVIDEND_COLUMNS, rows: dividendRows(dividends) },
    { name: "companies", columns: COMPANY_COLUMNS, rows: companyRows(beginnings) },
  ];
}

const SPLIT_COLUMNS = [
  ["symbol", "VARCHAR"],
  ["first_date", "DATE"],
  ["next_date", "DATE"],
  ["since", "TIMESTAMP"],
  ["until", "TIMESTAMP"],
  ["factor", "DOUBLE"],
] as const satisfies SqlColumns;

const DIVIDEND_COLUMNS = [
  ["symbol", "VARCHAR"],
  ["since", "DATE"],
  ["until", "DATE"],
  ["factor", "DOUBLE"],
] as const satisfies SqlColumns;

const COMPANY_COLUMNS = [
  ["symbol", "VARCHAR"],
  ["since", "DATE"],
  ["until", "DATE"],
] as const satisfies SqlColumns;

const FIRST = "-infinity";
const LAST = "infinity";

function splitRows(splits: readonly SplitFactor[]): SqlRow[] {
  return splits.map(({ symbol, since, until, effectiveAt, factor }, index) => {
    const before = splits[index - 1];
    const isOne = before?.symbol === symbol && before.since === since;
    return [symbol, since ?? FIRST, until ?? LAST, isOne ? before.effectiveAt : FIRST, effectiveAt, factor];
  });
}

function dividendRows(dividends: readonly DividendFactor[]): SqlRow[] {
  return dividends.map(({ symbol, exDate, factor }, index) => {
    const before = dividends[index - 1];
    return [symbol, before?.symbol === symbol ? before.exDate : FIRST, exDate, factor];
  });
}

function companyRows(beginnings: CodeBeginnings): SqlRow[] {
  return [...beginnings].flatMap(([symbol, begins]) =>
    [FIRST, ...begins].map((since, at) => [symbol, since, begins[at] ?? LAST]),
  );
}
