/** A notebook of its own, in another process: prints as JSON what it is asked of a store. Arguments: the store's address, a folder for caches. */
import { Aggregator } from "../../aggregator/index.ts";

const [, , url = "", cacheDir = ""] = process.argv;
const asx = await Aggregator.open(url, { cacheDir });
const bars = await asx.loadDateRange("2024-05-30", "2024-05-31", { symbols: ["BHP", "CBA"] });
const answer = {
  zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  rows: bars.toRows().map(({ symbol, date, close }) => [symbol, date, close]),
  dateAt: bars.dateAt(0),
  day: bars.date[0],
  csv: bars.head(1).toCSV(),
  sql: (
    await asx.sql("SELECT max(date) AS last, min(date)::VARCHAR AS first FROM bars WHERE date >= $1", ["2024-05-30"])
  ).toRows(),
  latest: await asx.latestDate(),
  range: await asx.dateRange(),
};
await asx.close();
process.stdout.write(JSON.stringify(answer));
