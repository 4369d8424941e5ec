import type { ObjectStore } from "../domain/object-store.ts";
import type { Catalog } from "./catalog.ts";
import type { SkippedFile } from "./coverage.ts";
import type { CuratedFiles } from "./curated-files.ts";
import type { CuratedFile } from "./curated-manifest.ts";
import type { HistoryFiles } from "./history-files.ts";
import { datesThatMayRepeat, overlapTest, planHistory } from "./history-plan.ts";
import type { RowCounts } from "./history-rows.ts";
import { withHistorySums } from "./history-sums.ts";
import type { RawFileSet, RawFiles } from "./raw-files.ts";
import type { ReadPlan, ReadyCurated } from "./read-plan.ts";
import { backfillsByDate, datesWithLeftovers, type StoredDay, storedDays } from "./stored-days.ts";
import { withCopies } from "./with-copies.ts";

/** Up to so many dates, their small files are read in less time than a year's file is looked through. */
const FEW_DATES = 5;

/** What a planner works with. */
export interface PlannerParts {
  readonly store: ObjectStore;
  readonly raw: RawFiles;
  readonly history: HistoryFiles;
  readonly curated: CuratedFiles;
  readonly rowCounts: RowCounts;
}

/** Decides of each date whether a compacted file is read or its raw-data files and backfills, and makes these ready. */
export class Planner {
  readonly #parts: PlannerParts;

  constructor(parts: PlannerParts) {
    this.#parts = parts;
  }

  /**
   * A plan for every date of a catalog that has bars. Compacted files are read for what they hold just as the raw-data
   * files and backfills are now; for a few dates on this machine the raw-data files themselves. Files that cannot be read
   * are told: whether that is an error is the caller's to say.
   * @param isWanted whether a date is planned; every one unless given.
   */
  async plan(catalog: Catalog, isWanted: (date: string) => boolean = () => true): Promise<ReadPlan> {
    const { raw: rawFiles, history: historyFiles, rowCounts } = this.#parts;
    const days = (await storedDays(catalog, rawFiles)).filter(({ date }) => isWanted(date));
    const isFew = days.length <= FEW_DATES && this.#isLocal(days);
    // A file of a backfill is as large as a compacted one, and has its rows in less of an order.
    const isSmall = ({ files, backfills }: StoredDay): boolean => isFew && files.length > 0 && backfills.length === 0;
    const small = await rawFiles.ready(days.filter(isSmall).flatMap(({ files }) => files));
    const unread = new Set(small.bad.map(({ date }) => date));
    const covered = days.filter((day) => day.curated.length > 0 && (!isSmall(day) || unread.has(day.date)));
    const curated = await this.#readyCurated(covered, isFew);
    const isCurated = new Set(curated.ready.flatMap(({ wanted }) => wanted));
    const rest = days.filter(({ date }) => !isCurated.has(date));
    const large = await rawFiles.ready(rest.filter((day) => !isSmall(day)).flatMap(({ files }) => files));
    const found = { raw: joined(without(small, isCurated), large), history: await planHistory(rest, historyFiles) };
    const { raw, history: past, beside, badCopies } = await withCopies(rest, found, this.#parts.curated);
    const read = rest.map((day) => ({ ...day, beside: beside.get(day.date) }));
    const { history, bad, lacking } = past;
    const mayRepeat = datesThatMayRepeat(raw.ready, read);
    const rows = new Map(days.map(({ date }) => [date, 0]));
    for (const { file, wanted } of curated.ready) for (const date of wanted) rows.set(date, file.days[date]?.rows ?? 0);
    const sources = { raw: raw.ready, history, mayRepeat };
    for (const [date, count] of await rowCounts.ofDays(read, { ...sources, lacking })) rows.set(date, count);
    const badByKey = new Map([...curated.bad, ...badCopies].map((file) => [file.key, file]));
    return { ...sources, curated: curated.ready, rows, bad: [...raw.bad, ...bad, ...badByKey.values()] };
  }

  /**
   * How many bars a catalog has of each date, by its run summaries and records of backfills. Only files of dates without
   * either are looked into, and once those of dates of which bars stand twice: they are the files of the plan.
   */
  async overview(catalog: Catalog): Promise<ReadPlan> {
    const backfills = backfillsByDate(catalog);
    const leftovers = datesWithLeftovers(catalog);
    const mayOverlap = overlapTest();
    const rows = new Map<string, number>();
    const unsure = new Map<string, string>();
    for (const [date, run] of catalog.runs) {
      const having = backfills.get(date);
      if (run.sums === "" || leftovers.has(date)) continue;
      if (having === undefined) rows.set(date, run.rows);
      else unsure.set(date, withHistorySums(run.sums, having));
    }
    for (const [date, having] of backfills) {
      if (unsure.has(date) || catalog.unrecorded.has(date) || leftovers.has(date)) continue;
      if (mayOverlap(having)) unsure.set(date, withHistorySums("", having));
      else
        rows.set(
          date,
          having.reduce((sum, { days }) => sum + (days[date] ?? 0), 0),
        );
    }
    for (const [date, count] of await this.#parts.rowCounts.remembered(unsure)) rows.set(date, count);
    const unknownRuns = new Map(
      [...catalog.runs].map(([date, run]) => [date, rows.has(date) ? { ...run, sums: "" } : run]),
    );
    const plan = await this.plan({ ...catalog, runs: unknownRuns }, (date) => !rows.has(date));
    return { ...plan, rows: new Map([...plan.rows, ...rows]) };
  }

  #isLocal(days: readonly StoredDay[]): boolean {
    const { store } = this.#parts;
    return days.some(({ files: [first] }) => first !== undefined && store.localPath(first.key) !== undefined);
  }

  /** The compacted files for dates: for a few dates the smallest that hold them, else the largest. */
  async #readyCurated(
    days: readonly StoredDay[],
    isFew: boolean,
  ): Promise<{ ready: (ReadyCurated & { file: CuratedFile })[]; bad: SkippedFile[] }> {
    const chosen = Map.groupBy(days, ({ curated }) =>
      curated.reduce((best, file) => (file.rows < best.rows === isFew ? file : best)),
    );
    const states = await this.#parts.curated.ready([...chosen.keys()]);
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

function without({ ready, bad }: RawFileSet, dates: ReadonlySet<string>): RawFileSet {
  const isLeft = ({ date }: { readonly date: string }): boolean => !dates.has(date);
  return { ready: ready.filter(isLeft), bad: bad.filter(isLeft) };
}

function joined(one: RawFileSet, other: RawFileSet): RawFileSet {
  return { ready: [...one.ready, ...other.ready], bad: [...one.bad, ...other.bad] };
}
