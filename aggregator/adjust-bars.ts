import {
  type AdjustmentFactors,
  type DividendFactor,
  type SplitFactor,
  splitFactorAt,
  wholeShares,
} from "../domain/adjustment.ts";
import { fromEpochDays, toEpochDays } from "../domain/trading-date.ts";
import type { BarColumnName } from "./bars.ts";
import type { Column, Columns } from "./column.ts";

/** What prices are adjusted for. */
export const ADJUSTMENTS = ["none", "splits", "all"] as const;
export type Adjustment = (typeof ADJUSTMENTS)[number];

const PRICES: ReadonlySet<string> = new Set(["open", "high", "low", "close"]);

type NumberColumn = Extract<Column, { kind: "number" }>;

/** The columns that have to be read so that these can be adjusted. */
export function columnsForAdjusting(columns: readonly BarColumnName[]): BarColumnName[] {
  const close: BarColumnName[] = columns.includes("adjusted_close") ? ["close"] : [];
  return [...new Set<BarColumnName>([...columns, "fetch_timestamp", ...close])];
}

/**
 * Bars on the basis of the newest action: prices (for splits, or for dividends too), volumes and dividends (for splits), and
 * `adjusted_close`, which is the close adjusted for both. The given columns are left as they are.
 * @param columns as {@link columnsForAdjusting} says, in order of symbol and date.
 * @param wanted those that are given back, besides `symbol` and `date`.
 */
export function adjustBars(
  columns: Columns,
  adjust: Exclude<Adjustment, "none">,
  wanted: readonly BarColumnName[],
  factors: AdjustmentFactors,
): Columns {
  const { splits, dividends } = rowFactors(columns, factors);
  const forSplits = (value: number, row: number): number => value / (splits[row] ?? 1);
  const forAll = (value: number, row: number): number => (value * (dividends[row] ?? 1)) / (splits[row] ?? 1);
  const adjustedColumn = (name: string, column: NumberColumn): NumberColumn => {
    if (PRICES.has(name)) return scaled(column, adjust === "all" ? forAll : forSplits);
    if (name === "dividend") return scaled(column, forSplits);
    if (name === "volume") return scaled(column, (value, row) => shares(value, splits[row] ?? 1));
    if (name !== "adjusted_close") return column;
    const close = columns.get("close");
    if (close?.kind !== "number") throw new TypeError("adjusted closes come from closes, which were not read");
    return scaled(close, forAll);
  };
  const names = new Set<string>(["symbol", "date", ...wanted]);
  const kept = [...columns].filter(([name]) => names.has(name));
  return new Map(
    kept.map(([name, column]) => [name, column.kind === "number" ? adjustedColumn(name, column) : column]),
  );
}

function scaled({ values, nulls }: NumberColumn, scale: (value: number, row: number) => number): NumberColumn {
  return { kind: "number", values: values.map(scale), ...(nulls === undefined ? {} : { nulls }) };
}

function shares(volume: number, factor: number): number {
  return factor === 1 ? volume : wholeShares(volume * factor);
}

/** The split and the dividend factor of every row. */
function rowFactors(
  columns: Columns,
  factors: AdjustmentFactors,
): { readonly splits: Float64Array; readonly dividends: Float64Array } {
  const [symbol, date, fetched] = [columns.get("symbol"), columns.get("date"), columns.get("fetch_timestamp")];
  if (symbol?.kind !== "text" || date?.kind !== "date" || fetched?.kind !== "instant") {
    throw new TypeError("bars are adjusted by symbol, date and fetch_timestamp");
  }
  const splitsOf = Map.groupBy(factors.splits, (factor) => factor.symbol);
  const dividendsOf = Map.groupBy(factors.dividends, (factor) => factor.symbol);
  const { codes, dictionary } = symbol;
  const splits = new Float64Array(codes.length).fill(1);
  const dividends = new Float64Array(codes.length).fill(1);
  let next = 0;
  while (next < codes.length) {
    const from = next;
    const code = codes[from] ?? -1;
    while (next < codes.length && codes[next] === code) next += 1;
    const rows = { from, to: next, dates: date.values, fetched: fetched.values };
    fillSplits(splits, rows, splitsOf.get(dictionary[code] ?? "") ?? []);
    fillDividends(dividends, rows, dividendsOf.get(dictionary[code] ?? "") ?? []);
  }
  return { splits, dividends };
}

/** The rows of one symbol, the second excluded. */
interface SymbolRows {
  readonly from: number;
  readonly to: number;
  readonly dates: Int32Array;
  readonly fetched: Float64Array;
}

function fillSplits(filled: Float64Array, { from, to, dates, fetched }: SymbolRows, splits: readonly SplitFactor[]) {
  if (splits.length === 0) return;
  for (let row = from; row < to; row += 1) {
    filled[row] = splitFactorAt(splits, fromEpochDays(dates[row] ?? 0), fetched[row] ?? 0);
  }
}

function fillDividends(filled: Float64Array, { from, to, dates }: SymbolRows, dividends: readonly DividendFactor[]) {
  let row = from;
  for (const { exDate, factor } of dividends) {
    const exDay = toEpochDays(exDate);
    for (; row < to && (dates[row] ?? 0) < exDay; row += 1) filled[row] = factor;
  }
}
