import type { Column } from "./column.ts";

/** A column of numbers of periods, made of that of their days: each period has the rows from its first to the next one's. */
export type MakePeriods = (values: Float64Array, firstRows: Int32Array) => Column;

/** The value of each period's first row. */
export function firstValues(values: Float64Array, firstRows: Int32Array): Column {
  const made = new Float64Array(firstRows.length);
  for (let period = 0; period < made.length; period++) made[period] = values[firstRows[period] ?? 0] ?? Number.NaN;
  return numbersOf(made);
}

/** The value of each period's last row. */
export function lastValues(values: Float64Array, firstRows: Int32Array): Column {
  const made = new Float64Array(firstRows.length);
  for (let period = 0; period < made.length; period++) {
    made[period] = values[(firstRows[period + 1] ?? values.length) - 1] ?? Number.NaN;
  }
  return numbersOf(made);
}

/** Each period's values put together one after the other; those that are null are passed over, and a period of nulls is null. */
export function foldedValues(fold: (sofar: number, value: number) => number): MakePeriods {
  return (values, firstRows) => {
    const made = new Float64Array(firstRows.length);
    for (let period = 0; period < made.length; period++) {
      const end = firstRows[period + 1] ?? values.length;
      let folded = Number.NaN;
      for (let row = firstRows[period] ?? 0; row < end; row++) {
        const value = values[row] ?? Number.NaN;
        if (Number.isNaN(value)) continue;
        folded = Number.isNaN(folded) ? value : fold(folded, value);
      }
      made[period] = folded;
    }
    return numbersOf(made);
  };
}

/** How many rows each period has. */
export function rowCounts(firstRows: Int32Array, length: number): Column {
  const values = new Float64Array(firstRows.length);
  for (let period = 0; period < values.length; period++) {
    values[period] = (firstRows[period + 1] ?? length) - (firstRows[period] ?? 0);
  }
  return { kind: "number", values };
}

/** A column of numbers of which those that are NaN are null. */
export function numbersOf(values: Float64Array): Column {
  let nulls: Uint8Array | undefined;
  for (let row = 0; row < values.length; row++) {
    if (!Number.isNaN(values[row])) continue;
    nulls ??= new Uint8Array(values.length);
    nulls[row] = 1;
  }
  return nulls === undefined ? { kind: "number", values } : { kind: "number", values, nulls };
}
