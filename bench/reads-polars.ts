/** Reads with nodejs-polars, which is no dependency of this project: the bench installs it into a folder of its own. */
import { createRequire } from "node:module";
import { join } from "node:path";
import { NUMBER_COLUMNS, type ReadBars, type ReadBarsAgain, type ReadJob } from "./reads-job.ts";

/** The part of nodejs-polars 0.26 that is used here. */
interface Polars {
  readonly Int32: unknown;
  readonly Int64: unknown;
  readonly Float64: unknown;
  readonly Datetime: (unit: string) => unknown;
  col(name: string): Expression;
  lit(value: unknown): Expression;
  concat(frames: readonly LazyFrame[]): LazyFrame;
  scanParquet(path: string): LazyFrame;
  readParquet(path: string): Frame;
  DataFrame(columns: Record<string, readonly unknown[]>): Frame;
}
interface Expression {
  cast(type: unknown): Expression;
  and(other: Expression): Expression;
  gtEq(value: unknown): Expression;
  ltEq(value: unknown): Expression;
  isIn(values: readonly string[]): Expression;
  mean(): Expression;
  fillNull(value: unknown): Expression;
}
interface LazyFrame {
  filter(condition: Expression): LazyFrame;
  select(...columns: readonly Expression[]): LazyFrame;
  groupBy(name: string): { agg(...columns: readonly Expression[]): LazyFrame };
  collectSync(): Frame;
}
interface Frame {
  lazy(): LazyFrame;
  vstack(other: Frame): Frame;
  select(name: string): Frame;
  getColumn(name: string): Series;
  join(other: Frame, options: { on: string; how: "left"; maintainOrder: "left" }): Frame;
}
interface Series {
  unique(): Series;
  toArray(): string[];
  toTypedArray(): Float64Array | Int32Array;
}

/** Up to this many files it is faster to read each than to scan all by a pattern. */
const FEW_FILES = 100;

export async function openPolars({ line, files, glob, packages }: ReadJob): Promise<ReadBarsAgain> {
  const pl: Polars = createRequire(join(packages, "package.json"))("nodejs-polars");
  const { from, to, symbols, grouped } = line;
  const day = (date: string) => pl.lit(Date.parse(date) / 86_400_000).cast(pl.Int32);
  const scan = () => {
    if (glob !== null && files.length > FEW_FILES) return pl.scanParquet(glob);
    return pl.concat(files.map((path) => pl.scanParquet(path)));
  };
  const days = pl.col("date").cast(pl.Int32);
  const inRange = days.gtEq(day(from)).and(days.ltEq(day(to)));
  const numbers = NUMBER_COLUMNS.map((name) => {
    const number = name === "fetch_timestamp" ? pl.col(name).cast(pl.Datetime("ms")).cast(pl.Int64) : pl.col(name);
    return number.cast(pl.Float64).fillNull(pl.lit(Number.NaN));
  });
  return async () => {
    const rows = scan().filter(symbols === null ? inRange : inRange.and(pl.col("symbol").isIn(symbols)));
    if (grouped) return columnsOf(pl, rows.groupBy("symbol").agg(pl.col("close").mean()).collectSync(), ["close"]);
    const all = rows.select(pl.col("symbol"), pl.col("date").cast(pl.Int32), ...numbers).collectSync();
    return columnsOf(pl, all, ["date", ...NUMBER_COLUMNS]);
  };
}

/** Codes come from a join with the symbols there are: a string of each row takes twice as long. */
function columnsOf(pl: Polars, frame: Frame, names: readonly string[]): ReadBars {
  const dictionary = frame.getColumn("symbol").unique().toArray();
  const codes = pl.DataFrame({ symbol: dictionary, code: [...dictionary.keys()] });
  const joined = frame.select("symbol").join(codes, { on: "symbol", how: "left", maintainOrder: "left" });
  return {
    codes: joined.getColumn("code").toTypedArray(),
    dictionary,
    numbers: new Map(names.map((name) => [name, frame.getColumn(name).toTypedArray()])),
  };
}
