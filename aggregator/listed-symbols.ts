import * as z from "zod";
import { parseSymbolsKey, symbolsKey, symbolsPrefix } from "../domain/object-keys.ts";
import type { ObjectStore } from "../domain/object-store.ts";
import { tradingDate } from "../domain/trading-date.ts";
import type { StoredList } from "../stores/symbols-csv.ts";
import type { CacheFolder } from "./cache-folder.ts";
import { isUnreached, type Outage } from "./outage.ts";

const listing = z.object({ atMs: z.number(), marks: z.array(z.tuple([tradingDate, z.string()])) });
type Listing = z.infer<typeof listing>;
const list = z.object({ mark: z.string(), csv: z.string() });

const LISTING = "symbols/dates.json";

/** What the lists are read from and with. */
export interface ListedSymbolsParts {
  readonly store: ObjectStore;
  readonly folder: CacheFolder;
  readonly outage: Outage;
  /** The time, in milliseconds since 1970. */
  readonly now: () => number;
}

/** The stored lists of symbols. Those of S3 are kept in the cache folder, and read there where S3 cannot be reached. */
export class ListedSymbols {
  readonly #parts: ListedSymbolsParts;

  constructor(parts: ListedSymbolsParts) {
    this.#parts = parts;
  }

  /**
   * The newest list of a date or before it; undefined where none is stored.
   * @param isOffline whether the store was just found out of reach: it is not asked again.
   * @throws StoreUnavailableError where the store cannot be reached and the list is not in the cache.
   */
  async newest(date: string, isOffline = false): Promise<StoredList | undefined> {
    const { marks } = (isOffline ? await this.#lastDates() : undefined) ?? (await this.#dates());
    const newest = marks.filter(([stored]) => stored <= date).at(-1);
    if (newest === undefined) return undefined;
    const key = symbolsKey(newest[0]);
    const csv = await this.#csv(key, newest[1]);
    // Most sessions of a reader ask for no list, and the CSV library takes its time to load.
    const { decodeSymbolsCsv } = await import("../stores/symbols-csv.ts");
    return csv === undefined ? undefined : { date: newest[0], key, listings: decodeSymbolsCsv(key, csv) };
  }

  async #dates(): Promise<Listing> {
    const { store, folder, outage, now } = this.#parts;
    const atMs = now();
    try {
      const objects = await store.list(symbolsPrefix);
      const marks = objects.flatMap(({ key, mark }): Listing["marks"] => {
        const date = parseSymbolsKey(key);
        return date === undefined ? [] : [[date, mark]];
      });
      if (this.#isRemote) await folder.writeJson(LISTING, { atMs, marks });
      return { atMs, marks };
    } catch (error) {
      if (!isUnreached(error)) throw error;
      const last = await this.#lastDates();
      if (last === undefined) throw error;
      outage.begins(error, new Date(last.atMs));
      return last;
    }
  }

  #lastDates(): Promise<Listing | undefined> {
    return this.#parts.folder.readJson(LISTING, listing);
  }

  async #csv(key: string, mark: string): Promise<Uint8Array | undefined> {
    const { store, folder } = this.#parts;
    const name = `${key}.json`;
    const kept = this.#isRemote ? await folder.readJson(name, list) : undefined;
    if (kept?.mark === mark) return new TextEncoder().encode(kept.csv);
    const found = await store.read(key);
    if (found !== undefined && this.#isRemote) {
      const csv = new TextDecoder("utf-8", { ignoreBOM: true }).decode(found.bytes);
      await folder.writeJson(name, { mark: found.version, csv });
    }
    return found?.bytes;
  }

  get #isRemote(): boolean {
    return this.#parts.store.localPath(LISTING) === undefined;
  }
}
