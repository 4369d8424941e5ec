import { type AdjustmentFactors, splitFactorAt } from "../../domain/adjustment.ts";

/** Looks factors up for single bars. */
export function createAdjuster({ splits, dividends }: Pick<AdjustmentFactors, "splits" | "dividends">) {
  return {
    /** Divides prices and amounts a share, and multiplies volumes. */
    splitFactor: (symbol: string, date: string, fetchedAt: number): number =>
      splitFactorAt(
        splits.filter((factor) => factor.symbol === symbol),
        date,
        fetchedAt,
      ),
    /** Multiplies prices. */
    dividendFactor: (symbol: string, date: string): number =>
      dividends.find((factor) => factor.symbol === symbol && factor.exDate > date)?.factor ?? 1,
  };
}
