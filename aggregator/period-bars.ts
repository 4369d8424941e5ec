import type { BarColumnName, BarRow } from "./bars.ts";
import { Bars } from "./bars.ts";
import { checkedCount } from "./table.ts";
import { rowsOf } from "./table-rows.ts";

/** Columns of daily bars that bars of a week or a month have too. */
export type PeriodColumnName = Exclude<BarColumnName, "fetch_timestamp" | "batch_number">;

/** The bar of a week or a month as a row: the columns that the daily bars had, and how many they were. */
export type PeriodRow<Name extends PeriodColumnName = PeriodColumnName> = Pick<BarRow, Name> & {
  /** Daily bars in it. */
  sessions: number;
};

/** Bars of weeks or months: as daily bars, with {@link sessions}. `date` is the period's last trading day. */
export class PeriodBars<Name extends PeriodColumnName = PeriodColumnName> extends Bars<Name> {
  /** How many daily bars each bar is made of. */
  get sessions(): Float64Array {
    return this.numbers("sessions");
  }

  override of(symbol: string): PeriodBars<Name> {
    const { columns, coverage } = super.of(symbol);
    return new PeriodBars<Name>(columns, coverage);
  }

  override head(count = 10): PeriodBars<Name> {
    return this.slice(0, checkedCount(count));
  }

  override slice(from = 0, to = this.length): PeriodBars<Name> {
    const { columns, coverage } = super.slice(from, to);
    return new PeriodBars<Name>(columns, coverage);
  }

  override row(row: number): PeriodRow<Name> {
    const { sessions } = this.slice(row, row + 1);
    return { ...super.row(row), sessions: sessions[0] ?? Number.NaN };
  }

  override *[Symbol.iterator](): Generator<PeriodRow<Name>, void, undefined> {
    const some = 256;
    for (let from = 0; from < this.length; from += some) yield* this.slice(from, from + some).toRows();
  }

  override toRows(): PeriodRow<Name>[] {
    return rowsOf<PeriodRow<Name>>(this.columns, 0, this.length);
  }
}
