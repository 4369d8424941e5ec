/** Reads through this project's own API, as a notebook does. */
import { Aggregator, type Table } from "../aggregator/index.ts";
import { READ_COLUMNS, type ReadBars, type ReadBarsAgain, type ReadJob } from "./reads-job.ts";

export async function openAggregator({ line, store, cacheDir }: ReadJob): Promise<ReadBarsAgain> {
  const asx = await Aggregator.open(`file:${store}`, { cacheDir });
  const { from, to, symbols, grouped } = line;
  const columns = [...READ_COLUMNS];
  return async () => {
    if (grouped) {
      const sql = "select symbol, avg(close) as close from bars where date between $1 and $2 group by symbol";
      return numbersOf(await asx.sql(sql, [from, to]), ["close"]);
    }
    if (from === to) return numbersOf(await asx.loadDate(from, { columns }), READ_COLUMNS.slice(1));
    const bars = await asx.loadDateRange(from, to, { columns, ...(symbols !== null && { symbols }) });
    return numbersOf(bars, READ_COLUMNS.slice(1));
  };
}

/** Merges the small files of a store into few large ones. */
export async function compactStore(store: string, cacheDir: string): Promise<void> {
  const asx = await Aggregator.open(`file:${store}`, { cacheDir });
  await asx.compact();
  await asx.close();
}

function numbersOf({ columns }: Pick<Table, "columns">, names: readonly string[]): ReadBars {
  const numbers = names.map((name): [string, Float64Array | Int32Array] => {
    const column = columns.get(name);
    if (column?.kind === "number" || column?.kind === "instant" || column?.kind === "date")
      return [name, column.values];
    throw new Error(`the aggregator gave no numbers as ${name}`);
  });
  const symbol = columns.get("symbol");
  if (symbol?.kind !== "text") throw new Error("the aggregator gave no symbols");
  return { codes: symbol.codes, dictionary: symbol.dictionary, numbers: new Map(numbers) };
}
