import type { ObjectStore } from "../domain/object-store.ts";
import { compareSymbols } from "../domain/symbol.ts";
import type { Catalog } from "./catalog.ts";
import type { SkippedFile } from "./coverage.ts";
import type { CuratedFiles } from "./curated-files.ts";
import type { CuratedFile } from "./curated-manifest.ts";
import type { RawFileSet, RawFiles, ReadyFile } from "./raw-files.ts";
import type { ReadPlan, ReadyCurated } from "./read-plan.ts";
import { type StoredDay, storedDays } from "./stored-days.ts";

/** Up to so many dates, their small files are read in less time than a year's file is looked through. */
const FEW_DATES = 5;

const NO_FILES: RawFileSet = { ready: [], bad: [] };

/** Decides of each date whether a compacted file is read or its raw-data files, and makes these ready. */
export class Planner {
  readonly #store: ObjectStore;
  readonly #raw: RawFiles;
  readonly #curated: CuratedFiles;

  constructor(store: ObjectStore, raw: RawFiles, curated: CuratedFiles) {
    this.#store = store;
    this.#raw = raw;
    this.#curated = curated;
  }

  /**
   * A plan for every date of a catalog that has bars. Compacted files are read for what they hold just as the raw-data
   * files are now; for a few dates on this machine the raw-data files themselves. Files that cannot be read are
   * told: whether that is an error is the caller's to say.
   */
  async plan(catalog: Catalog): Promise<ReadPlan> {
    const days = await storedDays(catalog, this.#raw);
    const isFew = days.length <= FEW_DATES && this.#isLocal(days);
    const small = isFew ? await this.#raw.ready(days.flatMap(({ files }) => files)) : NO_FILES;
    const unread = new Set(small.bad.map(({ date }) => date));
    const covered = days.filter(
      ({ date, files, curated }) => curated.length > 0 && (!isFew || files.length === 0 || unread.has(date)),
    );
    const { ready, bad } = await this.#readyCurated(covered, isFew);
    const isCurated = new Set(ready.flatMap(({ wanted }) => wanted));
    const rest = days.filter(({ date }) => !isCurated.has(date));
    const raw = isFew ? without(small, isCurated) : await this.#raw.ready(rest.flatMap(({ files }) => files));
    const mayRepeat = datesThatMayRepeat(raw.ready);
    const rows = new Map(days.map(({ date }) => [date, 0]));
    for (const { date, rows: count } of raw.ready) rows.set(date, (rows.get(date) ?? 0) + count);
    const repeating = raw.ready.filter(({ date }) => mayRepeat.has(date));
    if (repeating.length > 0) for (const [date, count] of await this.#raw.rowsOnce(repeating)) rows.set(date, count);
    for (const { file, wanted } of ready) for (const date of wanted) rows.set(date, file.days[date]?.rows ?? 0);
    return { raw: raw.ready, curated: ready, mayRepeat, rows, bad: [...raw.bad, ...bad] };
  }

  #isLocal(days: readonly StoredDay[]): boolean {
    return days.some(({ files: [first] }) => first !== undefined && this.#store.localPath(first.key) !== undefined);
  }

  /** The compacted files for dates: for a few dates the smallest that hold them, else the largest. */
  async #readyCurated(
    days: readonly StoredDay[],
    isFew: boolean,
  ): Promise<{ ready: (ReadyCurated & { file: CuratedFile })[]; bad: SkippedFile[] }> {
    const chosen = Map.groupBy(days, ({ curated }) =>
      curated.reduce((best, file) => (file.rows < best.rows === isFew ? file : best)),
    );
    const states = await this.#curated.ready([...chosen.keys()]);
    const ready: (ReadyCurated & { file: CuratedFile })[] = [];
    const bad: SkippedFile[] = [];
    for (const [file, dated] of chosen) {
      const { key } = file;
      const state = states.get(key);
      if (state === undefined) continue;
      const wanted = dated.map(({ date }) => date);
      if ("problem" in state) bad.push({ key, reason: state.problem });
      else ready.push({ key, ...state, holds: Object.keys(file.days).sort(), wanted, file });
    }
    return { ready, bad };
  }
}

/** The dates on which a symbol may stand in several files: those whose files' symbols, first to last, overlap. */
function datesThatMayRepeat(files: readonly ReadyFile[]): Set<string> {
  const dates = new Set<string>();
  for (const [date, ofDate] of Map.groupBy(files, (file) => file.date)) {
    const bounds = ofDate.flatMap(({ symbols }) => (symbols === null ? [] : [symbols]));
    bounds.sort(([first], [other]) => compareSymbols(first, other));
    if (bounds.some(([first], index) => first <= (bounds[index - 1]?.[1] ?? ""))) dates.add(date);
  }
  return dates;
}

function without({ ready, bad }: RawFileSet, dates: ReadonlySet<string>): RawFileSet {
  const isLeft = ({ date }: { readonly date: string }): boolean => !dates.has(date);
  return { ready: ready.filter(isLeft), bad: bad.filter(isLeft) };
}
