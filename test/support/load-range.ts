/** A process of its own that loads a range of a bucket through a cache, and prints what it got, on one line. */
import { Aggregator } from "../../aggregator/index.ts";

const [url = "", endpoint = "", cacheDir = "", from = "", to = ""] = process.argv.slice(2);
const warnings: string[] = [];
const report: Record<string, unknown> = { warnings };
const asx = await Aggregator.open(url, { endpoint, cacheDir, onWarning: (message) => warnings.push(message) });
try {
  const bars = await asx.loadDateRange(from, to);
  report["closes"] = bars.toRows().map(({ symbol, date, close }) => `${symbol} ${date} ${close}`);
} catch (error) {
  report["error"] = error instanceof Error ? { name: error.name, message: error.message } : String(error);
}
await asx.close();
process.stdout.write(`${JSON.stringify(report)}\n`);
