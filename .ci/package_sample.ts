/**
 * What a user of the package writes: .ci/check_package.ts compiles it against the installed package and runs it on every
 * Node that package.json allows. It is no part of the package. A wrong use that compiles is an error as well: the line
 * below each @ts-expect-error must not.
 *
 *   node package_sample.js STORE DATE    DATE has bars of BHP and CBA
 */
import assert from "node:assert/strict";
import {
  Aggregator,
  type AggregatorOptions,
  AsxEodError,
  type BarRow,
  DateNotStoredError,
  InvalidInputError,
  StoredFileError,
} from "asx-eod";

// @ts-expect-error the folders of the repository are not for users
type _Deep = typeof import("asx-eod/aggregator/aggregator.ts");

const [store = "", date = ""] = process.argv.slice(2);
const options: AggregatorOptions = { region: "ap-southeast-2" };
const asx = await Aggregator.open(store, options);

const bars = await asx.loadDate(date);
const symbols: readonly string[] = bars.symbol;
const closes: Float64Array = bars.close;
const first: BarRow | undefined = bars.toRows()[0];
assert.deepEqual(symbols, ["BHP", "CBA"]);
assert.equal(first?.date, date);
assert.ok((closes[0] ?? 0) > 0);
assert.equal((await bars.toArrow()).numRows, 2);

const some = await asx.loadDateRange(date, date, { symbols: ["CBA"], columns: ["close"] });
assert.deepEqual(some.toRows(), [{ symbol: "CBA", date, close: closes[1] }]);
assert.equal(some.coverage.isComplete, true);
const counted = await asx.sql("select count(*) as bars from bars where date = $1", [date]);
assert.deepEqual(counted.toRows(), [{ bars: 2 }]);

await assert.rejects(asx.loadDate("1999-01-04"), DateNotStoredError);
await assert.rejects(asx.loadDate("2024-02-30"), InvalidInputError);
await assert.rejects(Aggregator.open("ftp://host"), AsxEodError);
assert.ok(new StoredFileError("damaged") instanceof AsxEodError);
await asx.close();

/** Wrong uses: compiled, never run. */
export async function wrongUses(): Promise<void> {
  // @ts-expect-error an aggregator is opened, not made
  new Aggregator();
  // @ts-expect-error an address is a text
  await Aggregator.open(new URL("file:///srv/data"));
  // @ts-expect-error no such option
  await Aggregator.open("file:./data", { bucket: "my-bucket" });
  // @ts-expect-error a date is a text, so that no time zone can shift it
  await asx.loadDate(new Date());
  // @ts-expect-error prices are numbers
  const open: string | undefined = bars.toRows()[0]?.open;
  // @ts-expect-error no such column
  const price = bars.price;
  assert.ok(open ?? price);
  // @ts-expect-error a column that was not asked for
  assert.ok(some.toRows()[0]?.open);
}
