import { type BarColumnName, Bars } from "./bars.ts";
import { takeRows } from "./column.ts";
import { symbolRows } from "./symbol-rows.ts";

/**
 * The same bars with the rows of each symbol together and in order of date: as they are where they stand so, as loaded
 * bars do.
 * @throws InvalidInputError where `symbol` or `date` is lacking.
 */
export function rowsInOrder<Name extends BarColumnName>(bars: Bars<Name>): Bars<Name> {
  const { symbolCodes: codes, symbolDictionary: dictionary, date: values } = bars;
  const rows = [...symbolRows({ kind: "text", codes, dictionary }, { kind: "date", values }).values()];
  if (!rows.some((of) => of instanceof Int32Array)) return bars;
  const order = Int32Array.from(
    rows.flatMap((of) =>
      of instanceof Int32Array ? [...of] : Array.from({ length: of.to - of.from }, (_, row) => of.from + row),
    ),
  );
  const columns = new Map(Array.from(bars.columns, ([name, column]) => [name, takeRows(column, order)]));
  return new Bars<Name>(columns, bars.coverage);
}
