/**
 * Draws what a store holds as SVG files: candlesticks of a symbol, an equal-weight index of all symbols, and the coverage
 * as a calendar.
 *
 *   node examples/charts.ts [STORE] [OUT_FOLDER] [SYMBOL]
 *
 * Unless given: file:./sandbox-data, ./charts and BHP.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Aggregator } from "asx-eod";
import { candlestickChart } from "./charts/candlestick.ts";
import { svgOf } from "./charts/chart.ts";
import { coverageCalendar } from "./charts/coverage-calendar.ts";
import { equalWeightIndex, indexChart } from "./charts/equal-weight-index.ts";

const [store = "file:./sandbox-data", folder = "charts", symbol = "BHP"] = process.argv.slice(2);
/** More candles than this stand too close on a page. */
const MOST_CANDLES = 120;

const asx = await Aggregator.open(store);
try {
  const bars = await asx.loadAll({ adjust: "splits" });
  if (bars.length === 0) throw new Error(`${store} holds no bars; in a clone of asx-eod: npm run sample`);
  const candles = bars.of(symbol).slice(-MOST_CANDLES);
  if (candles.length === 0) throw new Error(`${store} holds no bar of ${symbol}; name a symbol that it has`);
  const charts = {
    candlestick: candlestickChart(candles),
    "equal-weight-index": indexChart(equalWeightIndex(bars)),
    "coverage-calendar": coverageCalendar(bars.coverage),
  };
  await mkdir(folder, { recursive: true });
  for (const [name, chart] of Object.entries(charts)) {
    const file = join(folder, `${name}.svg`);
    await writeFile(file, svgOf(chart));
    process.stdout.write(`${file}: ${chart.title}\n`);
  }
} finally {
  await asx.close();
}
