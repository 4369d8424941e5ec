import type { SqlColumns, SqlRow } from "./sql-table.ts";

/** What values of bars are rescaled by for splits that took effect after they were given. */
export interface SplitFactorRow {
  readonly symbol: string;
  /** In milliseconds since 1970. The factor is for bars that were given before it, and not before an earlier row's. */
  readonly effectiveAt: number;
  /** Volumes are multiplied by it, prices and amounts divided. */
  readonly factor: number;
}

/** What prices are multiplied by for the dividends that went ex after them. */
export interface DividendFactorRow {
  readonly symbol: string;
  /** The factor is for bars of dates before it, and not before an earlier row's. */
  readonly exDate: string;
  readonly factor: number;
}

/** The factors at a state of the store. */
export interface SqlFactors {
  /** Changes whenever a factor does. */
  readonly mark: string;
  /** In order of symbol, and of instant or ex-date. */
  readonly rows: () => Promise<{
    readonly splits: readonly SplitFactorRow[];
    readonly dividends: readonly DividendFactorRow[];
  }>;
}

/** A table that the macros go by; no query of a user sees it. */
export interface FactorTable {
  readonly name: string;
  readonly columns: SqlColumns;
  readonly rows: readonly SqlRow[];
}

/**
 * Tables of factors: `since` is inclusive, `until` exclusive, and of a symbol's rows each begins where the one before ends.
 * By both a join by hash finds a bar's factor; an ASOF join, which would do with `until`, sorts all bars first.
 */
export async function factorTables({ rows }: SqlFactors): Promise<FactorTable[]> {
  const { splits, dividends } = await rows();
  return [
    {
      name: "split_factors",
      columns: columnsOf("TIMESTAMP"),
      rows: intervals(splits.map(({ symbol, effectiveAt, factor }) => ({ symbol, until: effectiveAt, factor }))),
    },
    {
      name: "dividend_factors",
      columns: columnsOf("DATE"),
      rows: intervals(dividends.map(({ symbol, exDate, factor }) => ({ symbol, until: exDate, factor }))),
    },
  ];
}

function columnsOf(type: "TIMESTAMP" | "DATE"): SqlColumns {
  return [
    ["symbol", "VARCHAR"],
    ["since", type],
    ["until", type],
    ["factor", "DOUBLE"],
  ];
}

interface Factor {
  readonly symbol: string;
  readonly until: number | string;
  readonly factor: number;
}

function intervals(factors: readonly Factor[]): SqlRow[] {
  return factors.map(({ symbol, until, factor }, index) => {
    const before = factors[index - 1];
    return [symbol, before?.symbol === symbol ? before.until : "-infinity", until, factor];
  });
}
