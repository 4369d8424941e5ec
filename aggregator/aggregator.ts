import type { Bar } from "../domain/bar.ts";
import { DateNotStoredError } from "../domain/errors.ts";
import type { ObjectStore } from "../domain/object-store.ts";
import { parseInput } from "../domain/parse.ts";
import { shellWord } from "../domain/text.ts";
import { tradingDate } from "../domain/trading-date.ts";
import { openStore, type StoreOptions } from "../stores/open-store.ts";
import { readDayFiles } from "./day-files.ts";
import { ParquetEngine } from "./parquet-engine.ts";

/** Finds the daily batches of a store and hands their bars back. */
export class Aggregator {
  readonly #store: ObjectStore;
  readonly #engine: ParquetEngine;

  private constructor(store: ObjectStore, engine: ParquetEngine) {
    this.#store = store;
    this.#engine = engine;
  }

  /**
   * Opens a store for reading.
   * @param url `file:./data`, `s3://bucket` or `s3://bucket/folder`.
   * @param options `endpoint`: an S3 service other than AWS's own.
   * @throws InvalidInputError for another address.
   */
  static async open(url: string, options: StoreOptions = {}): Promise<Aggregator> {
    const store = openStore(url, options);
    return new Aggregator(store, await ParquetEngine.open());
  }

  /**
   * The bars of one trading date, every batch merged, in order of symbol; none where the market was closed.
   *
   * Where the date has a run summary, exactly the files it names are read, after their SHA-256 was
   * checked; else those a listing finds, the older form with all symbols in one file included. A symbol
   * that stands in several of them comes once, as fetched last.
   * @param date `YYYY-MM-DD`, the trading date in Sydney.
   * @throws InvalidInputError where the date does not exist.
   * @throws DateNotStoredError where nothing is stored for it.
   * @throws StoredFileError that names a missing, damaged or foreign file.
   */
  async loadDate(date: string): Promise<Bar[]> {
    const checked = parseInput(tradingDate, date, "date");
    const files = await readDayFiles(this.#store, checked);
    if (files === undefined) {
      throw new DateNotStoredError(
        `${this.#store.url} holds no bars of ${checked}; run that date first: npx asx run --date ${checked} --store ${shellWord(this.#store.url)}`,
      );
    }
    return this.#engine.readBars(files, checked);
  }

  /** Frees the engine. The aggregator cannot be used afterwards. */
  close(): void {
    this.#engine.close();
  }
}
