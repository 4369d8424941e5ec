import { type Column, type Columns, columnsOf } from "./column.ts";
import { numberColumn, textColumn } from "./make-column.ts";

/** What is known of the numbers of one column. */
interface Statistics {
  readonly count: number;
  readonly nulls: number;
  readonly mean: number | null;
  readonly standard_deviation: number | null;
  readonly minimum: number | null;
  readonly quartile_25: number | null;
  readonly quartile_50: number | null;
  readonly quartile_75: number | null;
  readonly maximum: number | null;
}

const STATISTICS = [
  "count",
  "nulls",
  "mean",
  "standard_deviation",
  "minimum",
  "quartile_25",
  "quartile_50",
  "quartile_75",
  "maximum",
] as const satisfies readonly (keyof Statistics)[];

/**
 * Statistics of every column of numbers, one row each. `count` are its numbers: neither null nor NaN. The standard
 * deviation is the sample's (divided by n - 1), null below two numbers; quartiles are interpolated between the two
 * nearest numbers (Hyndman and Fan's type 7, as NumPy, R and DuckDB's `quantile_cont` do by default).
 */
export function describeColumns(columns: Columns): Columns {
  const described = Array.from(columns)
    .filter(([, { kind }]) => kind === "number" || kind === "bigint")
    .map(([name, column]) => ({ name, statistics: statisticsOf(column) }));
  return columnsOf([
    ["column", textColumn(described.map(({ name }) => name))],
    ...STATISTICS.map((name) => [name, numberColumn(described.map(({ statistics }) => statistics[name]))] as const),
  ]);
}

function statisticsOf(column: Column): Statistics {
  const { numbers, nulls } = numbersOf(column);
  const count = numbers.length;
  const mean = count === 0 ? null : meanOf(numbers);
  numbers.sort();
  return {
    count,
    nulls,
    mean,
    standard_deviation: mean === null ? null : deviationOf(numbers, mean),
    minimum: quantile(numbers, 0),
    quartile_25: quantile(numbers, 0.25),
    quartile_50: quantile(numbers, 0.5),
    quartile_75: quantile(numbers, 0.75),
    maximum: quantile(numbers, 1),
  };
}

function numbersOf(column: Column): { numbers: Float64Array; nulls: number } {
  if (column.kind !== "number" && column.kind !== "bigint") return { numbers: new Float64Array(0), nulls: 0 };
  const numbers = new Float64Array(column.values.length);
  let count = 0;
  let nulls = 0;
  for (let row = 0; row < column.values.length; row++) {
    if (column.nulls?.[row] === 1) {
      nulls++;
      continue;
    }
    const value = Number(column.values[row]);
    if (!Number.isNaN(value)) numbers[count++] = value;
  }
  return { numbers: numbers.subarray(0, count), nulls };
}

/** The mean: the errors of a first one are added up and taken out, which a plain sum of millions leaves in. */
function meanOf(numbers: Float64Array): number {
  let sum = 0;
  for (const number of numbers) sum += number;
  const mean = sum / numbers.length;
  if (!Number.isFinite(mean)) return mean;
  let rest = 0;
  for (const number of numbers) rest += number - mean;
  return mean + rest / numbers.length;
}

function deviationOf(numbers: Float64Array, mean: number): number | null {
  if (numbers.length < 2) return null;
  let squares = 0;
  for (const number of numbers) squares += (number - mean) ** 2;
  return Math.sqrt(squares / (numbers.length - 1));
}

/** The number below which the given share of the sorted numbers lies. */
function quantile(sorted: Float64Array, share: number): number | null {
  const position = (sorted.length - 1) * share;
  const below = sorted[Math.floor(position)];
  const above = sorted[Math.ceil(position)];
  if (below === undefined || above === undefined) return null;
  return below === above ? below : below + (above - below) * (position - Math.floor(position));
}
