import { QueryFailedError } from "../domain/errors.ts";
import type { ObjectStore } from "../domain/object-store.ts";
import { areUnchanged } from "./bar-reader.ts";
import { type SourceDay, type SourceDays, sourceParts } from "./compaction-days.ts";
import type { CuratedFiles } from "./curated-files.ts";
import { type BuiltFile, CuratedWriter } from "./curated-writer.ts";
import type { Engine } from "./engine.ts";
import { isRevivable, type ManifestLists } from "./superseded-files.ts";

/** What compacted files are built with. */
export interface CuratedBuildingParts {
  readonly store: ObjectStore;
  readonly engine: Engine;
  readonly curated: CuratedFiles;
  /** A folder of this machine for files until they are stored. */
  readonly folder: string;
  /** The time, in milliseconds since 1970. */
  readonly now: () => number;
}

/** Files changed while they were read: what was made of them does not count. */
export class SourceChanged extends Error {
  override readonly name = "SourceChanged";
}

/** The files that one compaction builds: each once, however often another publishes first. */
export class CuratedBuilding {
  readonly #parts: CuratedBuildingParts;
  readonly #writer: CuratedWriter;
  readonly #built = new Map<string, BuiltFile>();
  /** Keys of compacted files that were found missing or damaged: nothing is read from them again. */
  readonly unreadable = new Set<string>();

  constructor(parts: CuratedBuildingParts) {
    this.#parts = parts;
    this.#writer = new CuratedWriter(parts.store, parts.engine, parts.folder);
  }

  /**
   * A file of some days, stored under a key that may be published: of one that somebody may be removing just now, another
   * edition.
   * @throws SourceChanged where the files it is made of changed meanwhile.
   */
  async build(
    period: string,
    days: readonly SourceDay[],
    { manifest, source }: { readonly manifest: ManifestLists; readonly source: Pick<SourceDays, "historyFiles"> },
  ): Promise<BuiltFile> {
    const content = days.map(({ date, sums }) => `${date}\n${sums}`).join("\n");
    for (let edition = 0; ; edition += 1) {
      const name = `${period} ${edition}\n${content}`;
      const built = this.#built.get(name) ?? (await this.#buildNew(period, days, source, edition));
      this.#built.set(name, built);
      if (isRevivable(built.file.key, manifest.superseded, this.#parts.now())) return built;
    }
  }

  async #buildNew(
    period: string,
    days: readonly SourceDay[],
    { historyFiles }: Pick<SourceDays, "historyFiles">,
    edition: number,
  ): Promise<BuiltFile> {
    const parts = await sourceParts(days, historyFiles, this.#parts.curated);
    if ("unreadable" in parts) {
      for (const { key } of parts.unreadable) this.unreadable.add(key);
      throw new SourceChanged();
    }
    const contents = new Map(days.map(({ date, sums, least, most }) => [date, { sums, least, most }]));
    let built: BuiltFile;
    try {
      built = await this.#writer.build({ period, days: contents, parts, edition });
    } catch (error) {
      if (error instanceof QueryFailedError && !(await areUnchanged(parts))) throw new SourceChanged();
      throw error;
    }
    if (!(await areUnchanged(parts))) throw new SourceChanged();
    await this.#writer.put(built);
    return built;
  }

  /** Looks whether files are still stored, and stores them again where not: one compaction may clear away after another. */
  async makeSure(built: readonly BuiltFile[]): Promise<void> {
    const stored = await this.#parts.store.stat(built.map(({ file }) => file.key));
    for (const [index, each] of built.entries()) {
      if (stored[index]?.bytes !== each.file.bytes) await this.#writer.put(each);
    }
  }

  /** Removes what was built from this machine. */
  clear(): Promise<void> {
    return this.#writer.clear();
  }
}
