import type { RunSummary } from "../../domain/run-summary.ts";
import { readForComparison } from "../runtime/earlier-sessions.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { readStoredDay, type StoredDay } from "../runtime/stored-day.ts";

/** Days whose files are kept: a session is judged by the five before it. */
const DAYS_KEPT = 8;
/** Summaries that are kept: a session is compared with the twenty before it. */
const SUMMARIES_KEPT = 24;

/** What was read of sessions, each once, while a run is summarised: the sessions of a long one are judged by each other. */
export interface SessionReads {
  /** The batch files of a date. Throws a StoredFileError where one is damaged. */
  day(date: string): Promise<StoredDay>;
  /** The run summary of a date, to be compared with; undefined where it has none or it is damaged. */
  summary(date: string): Promise<RunSummary | undefined>;
  /** Forgets the summary of a date, which has been written. */
  hasWritten(date: string): void;
}

/** Reads that remember the last few days and summaries: memory stays bounded, however many sessions there are. */
export function createSessionReads(runtime: Pick<Runtime, "store" | "logger">): SessionReads {
  const days = new Map<string, Promise<StoredDay>>();
  const summaries = new Map<string, Promise<RunSummary | undefined>>();
  return {
    day: (date) => remember(days, date, DAYS_KEPT, () => readStoredDay(runtime.store, date)),
    summary: (date) => remember(summaries, date, SUMMARIES_KEPT, () => readForComparison(date, runtime)),
    hasWritten: (date) => void summaries.delete(date),
  };
}

/** What is kept of a date, else what is read now; what was asked for longest ago is forgotten. */
function remember<Read>(
  kept: Map<string, Promise<Read>>,
  date: string,
  most: number,
  read: () => Promise<Read>,
): Promise<Read> {
  const known = kept.get(date) ?? read();
  kept.delete(date);
  kept.set(date, known);
  for (const oldest of [...kept.keys()].slice(0, -most)) kept.delete(oldest);
  return known;
}
