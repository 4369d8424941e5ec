import { DateNotStoredError, StoredFileError } from "../domain/errors.ts";
import { shellWord } from "../domain/text.ts";
import { curatedPeriod, inOrder } from "./curated-manifest.ts";
import type { CompactionState, CuratedPublisher } from "./curated-publisher.ts";
import { parseFileSums } from "./file-sums.ts";
import { countBackfills } from "./leftover-copies.ts";

/** The one file that a date's batches were merged into. */
export interface MergedDay {
  readonly key: string;
  /** An address that a person can open or paste. */
  readonly url: string;
  /** `YYYY-MM-DD`, the trading date in Sydney. */
  readonly date: string;
  /** Bars. */
  readonly rows: number;
  /** Raw-data files that were merged. */
  readonly batches: number;
  /** Backfills whose bars of the date were merged. */
  readonly backfills: number;
  readonly bytes: number;
  readonly sha256: string;
}

/**
 * Merges the batches of a date into one stored file of its own. Nothing is written where it is there as the batches are now;
 * the file of an earlier run of the date is superseded.
 * @throws DateNotStoredError where nothing is stored for the date, or the market was closed.
 * @throws StoredFileError that names a batch that cannot be read.
 */
export async function mergeDay(publisher: CuratedPublisher, date: string): Promise<MergedDay> {
  const { store } = publisher;
  const { result } = await publisher.publish({ from: date, to: date }, async (state, building) => {
    const [bad] = state.source.bad;
    if (bad !== undefined) throw new StoredFileError(`${store.locate(bad.key)} ${bad.reason.replace(/^it /, "")}`);
    const day = state.source.days.find((each) => each.date === date);
    if (day === undefined) throw nothingToMerge(publisher, state, date);
    const ofDate = state.manifest.files.filter((each) => curatedPeriod(each) === date);
    const there = ofDate.find((file) => day.copies.includes(file));
    const built = there === undefined ? [await building.build(date, [day], state)] : [];
    const file = there ?? built[0]?.file;
    if (file === undefined) throw new TypeError("a date's file is there or was built");
    const others = state.manifest.files.filter((each) => !ofDate.includes(each));
    const files = inOrder([...others, file]);
    return { files, built, result: { file, sums: day.sums } };
  });
  const { key, rows, bytes, sha256 } = result.file;
  const counts = { rows, batches: parseFileSums(result.sums).length, backfills: countBackfills(result.sums) };
  return { key, url: store.locate(key), date, ...counts, bytes, sha256 };
}

function nothingToMerge({ store }: CuratedPublisher, { catalog }: CompactionState, date: string): DateNotStoredError {
  const run = catalog.runs.get(date);
  if (run?.status === "market-closed") {
    return new DateNotStoredError(`the market was closed on ${date}: there is nothing to merge`);
  }
  const what = run === undefined ? `${store.url} holds no bars of ${date}` : `the run of ${date} stored no bar`;
  return new DateNotStoredError(
    `${what}; in a clone of asx-eod: npx asx run --date ${date} --store ${shellWord(store.url)}`,
  );
}
