import type { AdjustmentFactors } from "../domain/adjustment.ts";
import type { SqlColumns, SqlRow } from "./sql-table.ts";

/** The factors at a state of the store. */
export interface SqlFactors {
  /** Changes whenever a factor does. */
  readonly mark: string;
  /** In order of symbol, and of instant or ex-date. */
  readonly rows: () => Promise<Pick<AdjustmentFactors, "splits" | "dividends">>;
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
