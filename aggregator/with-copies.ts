import type { SkippedFile } from "./coverage.ts";
import type { CuratedFiles } from "./curated-files.ts";
import type { CuratedFile } from "./curated-manifest.ts";
import type { HistoryPlan } from "./history-plan.ts";
import { type CopiedDate, copiesBeside } from "./leftover-copies.ts";
import type { RawFileSet } from "./raw-files.ts";
import { isStandIn, type StoredDay } from "./stored-days.ts";

/** What some dates are read from that no compacted file holds just as it is now. */
export interface FoundFiles {
  readonly raw: RawFileSet;
  readonly history: HistoryPlan;
}

/** The same with compacted copies among the files of backfills. */
export interface WithCopies extends FoundFiles {
  /** By date, the compacted file that is read beside the others. */
  readonly beside: ReadonlyMap<string, CuratedFile>;
  /** Compacted files that cannot be read, and alone hold some bars. */
  readonly badCopies: readonly SkippedFile[];
}

/**
 * Adds compacted copies to what some dates are read from: where one alone holds some of the bars, and where it holds all that
 * cannot be read of the others. These are not told as bad then.
 */
export async function withCopies(
  days: readonly StoredDay[],
  { raw, history }: FoundFiles,
  curated: CuratedFiles,
): Promise<WithCopies> {
  const badKeys = new Set([...raw.bad, ...history.bad].map(({ key }) => key));
  const leftover = days.flatMap((day) => copyOf(day, () => day.newest.gone.length > 0));
  const standIns =
    badKeys.size === 0 ? [] : days.flatMap((day) => copyOf(day, (file) => isStandIn(day, file, badKeys)));
  const wanted = [...new Map([...leftover, ...standIns].map((copied) => [copied.date, copied])).values()];
  if (wanted.length === 0) return { raw, history, beside: new Map(), badCopies: [] };
  const states = await curated.ready([...new Set(wanted.map(({ file }) => file))]);
  const copies = copiesBeside(wanted, states);
  const isRead = new Set(copies.flatMap((copy) => copy.wanted));
  const isMended = new Set(standIns.map(({ date }) => date).filter((date) => isRead.has(date)));
  const lacking = days.filter(({ date }) => !isMended.has(date));
  const needed = new Set(lacking.flatMap(({ backfills }) => backfills.flatMap(({ files }) => files.map(keyOf))));
  return {
    raw: { ready: raw.ready, bad: raw.bad.filter(({ date }) => !isMended.has(date)) },
    history: {
      history: [...history.history, ...copies],
      bad: history.bad.filter(({ key }) => needed.has(key)),
      lacking: new Set([...history.lacking].filter((date) => !isMended.has(date))),
    },
    beside: new Map(wanted.flatMap(({ date, file }) => (isRead.has(date) ? [[date, file]] : []))),
    badCopies: leftover.flatMap(({ file: { key } }) => {
      const state = states.get(key);
      return state !== undefined && "problem" in state ? [{ key, reason: state.problem }] : [];
    }),
  };
}

function copyOf({ date, newest: { files } }: StoredDay, isWanted: (file: CuratedFile) => boolean): CopiedDate[] {
  const [file] = files;
  return file !== undefined && isWanted(file) ? [{ date, file }] : [];
}

function keyOf({ key }: { readonly key: string }): string {
  return key;
}
