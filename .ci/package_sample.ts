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
  AsxEodError,
  type Bar,
  DateNotStoredError,
  InvalidInputError,
  StoredFileError,
  type StoreOptions,
} from "asx-eod";

// @ts-expect-error the folders of the repository are not for users
type _Deep = typeof import("asx-eod/aggregator/aggregator.ts");

const [store = "", date = ""] = process.argv.slice(2);
const options: StoreOptions = { region: "ap-southeast-2" };
const asx = await Aggregator.open(store, options);

const bars = await asx.loadDate(date);
const symbols: string[] = bars.map((bar: Bar) => bar.symbol);
const close: number | undefined = bars[0]?.close;
assert.deepEqual(symbols, ["BHP", "CBA"]);
assert.equal(bars[0]?.date, date);
assert.ok(close !== undefined && close > 0);

await assert.rejects(asx.loadDate("1999-01-04"), DateNotStoredError);
await assert.rejects(asx.loadDate("2024-02-30"), InvalidInputError);
await assert.rejects(Aggregator.open("ftp://host"), AsxEodError);
assert.ok(new StoredFileError("damaged") instanceof AsxEodError);
asx.close();

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
  const open: string | undefined = bars[0]?.open;
  // @ts-expect-error no such column
  const price = bars[0]?.price;
  assert.ok(open ?? price);
}
