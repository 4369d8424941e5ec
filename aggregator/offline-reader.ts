import { StoreUnavailableError } from "../domain/errors.ts";
import { curatedManifestKey, runKey } from "../domain/object-keys.ts";
import type { ObjectStore, StoredObject } from "../domain/object-store.ts";
import type { BarQuestion, BarReader, OnBadFile, Seen } from "./bar-reader.ts";
import type { Bars } from "./bars.ts";
import type { DateRange } from "./catalog.ts";
import type { Coverage } from "./coverage.ts";
import { freezeStore } from "./frozen-store.ts";
import type { KeptLook, LastLooks, LookedAt } from "./last-looks.ts";
import { isUnreached, type Outage } from "./outage.ts";
import { filesOf, type ReadPlan } from "./read-plan.ts";

/** Reads bars of a store. */
export type Reader = Pick<BarReader, "atOneState" | "bars" | "coverage" | "look" | "overview">;

/** What the reader is made of. */
export interface OfflineReaderParts {
  /** Reads the store itself. */
  readonly online: BarReader;
  /** A reader of a store as it was. */
  readonly readerOf: (store: ObjectStore, offlineSince: Date) => BarReader;
  readonly store: ObjectStore;
  /** An object of the store as it was listed last. */
  readonly noted: (key: string) => StoredObject | undefined;
  readonly looks: LastLooks;
  /** Absolute path of the cache folder. */
  readonly cacheFolder: string;
  readonly outage: Outage;
  /** The time, in milliseconds since 1970. */
  readonly now: () => number;
}

/**
 * Reads a store that may be out of reach: then as it was when this cache folder's processes looked at it last, from the
 * cache alone. Each question asks the store first, so that the first answer after an outage is fresh.
 */
export class OfflineReader implements Reader {
  readonly #parts: OfflineReaderParts;
  /** The files of states seen: one that is seen again has the same. */
  readonly #lookedAt = new WeakMap<ReadPlan, LookedAt>();
  #frozen: { readonly look: KeptLook; readonly reader: BarReader } | undefined;

  constructor(parts: OfflineReaderParts) {
    this.#parts = parts;
  }

  /** As {@link BarReader.bars}; the coverage tells since when the store was not reached. */
  bars(question: BarQuestion): Promise<{ readonly bars: Bars; readonly seen: Seen }> {
    return this.#read(question.range, (reader) => reader.bars(question));
  }

  /** As {@link BarReader.atOneState}; the query may be run twice. */
  atOneState<Result>(
    range: DateRange,
    onBadFile: OnBadFile,
    query: (seen: Seen) => Promise<Result>,
  ): Promise<{ readonly result: Result; readonly seen: Seen }> {
    return this.#read(range, (reader) => reader.atOneState(range, onBadFile, query));
  }

  async look(range: DateRange, onBadFile: OnBadFile): Promise<Seen> {
    return (await this.atOneState(range, onBadFile, async () => undefined)).seen;
  }

  /** As {@link BarReader.overview}. It is not kept for an outage: it does not know the files. */
  async overview(range: DateRange): Promise<Seen> {
    const { online, outage } = this.#parts;
    try {
      const seen = await online.overview(range);
      outage.ends();
      return seen;
    } catch (error) {
      if (!isUnreached(error)) throw error;
      return (await this.#asItWas(range, error)).overview(range);
    }
  }

  coverage(seen: Seen): Coverage {
    return this.#parts.online.coverage(seen);
  }

  async #read<Answer extends { readonly seen: Seen }>(
    range: DateRange,
    read: (reader: BarReader) => Promise<Answer>,
  ): Promise<Answer> {
    const { online, outage, now } = this.#parts;
    const atMs = now();
    let answer: Answer;
    try {
      answer = await read(online);
    } catch (error) {
      if (!isUnreached(error)) throw error;
      return read(await this.#asItWas(range, error));
    }
    outage.ends();
    await this.#keep(answer.seen, atMs);
    return answer;
  }

  /** A reader of the store as it was at the last look at a range. */
  async #asItWas(range: DateRange, error: StoreUnavailableError): Promise<BarReader> {
    const { looks, store, cacheFolder, readerOf, outage } = this.#parts;
    const look = await looks.find(range);
    if (look === undefined) {
      const what = range === null ? "the whole store" : `${range.from} to ${range.to}`;
      throw new StoreUnavailableError(
        `${error.message}. The cache (${cacheFolder}) cannot stand in: ${what} was not read before`,
        { cause: error },
      );
    }
    const asOf = new Date(look.atMs);
    outage.begins(error, asOf);
    if (this.#frozen?.look.id !== look.id) {
      this.#frozen = { look, reader: readerOf(freezeStore(store, look, cacheFolder), asOf) };
    }
    return this.#frozen.reader;
  }

  /** Not where a run summary, a record or the manifest is damaged: what was not understood is not in the cache either. */
  async #keep(seen: Seen, atMs: number): Promise<void> {
    const { range, manifest, damaged } = seen.catalog;
    if (damaged.length > 0) return;
    const files = this.#lookedAt.get(seen.plan) ?? this.#filesOf(seen);
    this.#lookedAt.set(seen.plan, files);
    await this.#parts.looks.keep({ range, atMs, files, manifest });
  }

  #filesOf({ catalog, plan }: Seen): LookedAt {
    const keys = new Set([
      ...[...catalog.runs.keys()].map(runKey),
      ...[...catalog.unrecorded.values()].flat().map(({ key }) => key),
      ...catalog.backfills.map(({ key }) => key),
      ...[...filesOf(plan), ...plan.bad].map(({ key }) => key),
      ...(catalog.manifest === undefined ? [] : [curatedManifestKey]),
    ]);
    const { noted } = this.#parts;
    const objects = [...keys].flatMap((key) => noted(key) ?? []);
    return { objects, absent: [...keys].filter((key) => noted(key) === undefined) };
  }
}
