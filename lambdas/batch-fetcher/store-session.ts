import type { Bar } from "../../domain/bar.ts";
import { isFinal, type SymbolReport } from "../../domain/batch.ts";
import { StoreConflictError } from "../../domain/errors.ts";
import { type Revision, reviseBar, withdrawBar } from "../../domain/revision.ts";
import type { BatchContents } from "../../stores/batch-file-reader.ts";
import { sha256 } from "../../stores/sha256.ts";
import { encodeBatchFile } from "../runtime/batch-file-writer.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { readStoredFile, type StoredBatchFile, type StoredDay } from "../runtime/stored-day.ts";
import type { FetchedSymbol } from "./fetch-symbol.ts";
import { storeRevisions } from "./store-revisions.ts";

/** Tries to write a batch's file beside another writer of it. Each loses to one that has finished, so few are many. */
const WRITES = 8;

/** Longest wait before a file that another writer changed is read again, in milliseconds. */
const LONGEST_WAIT_MS = 200;

/** What is to be stored of one session. */
export interface SessionToStore {
  /** Key of the batch's own file. */
  readonly key: string;
  /** The date's files as they were read before: the batch's own, and those with bars of its symbols. */
  readonly day: Pick<StoredDay, "files">;
  readonly fetched: readonly FetchedSymbol[];
  /** Where the bars came from. */
  readonly source: string;
  /** Final outcomes that the batch asked for again because it doubted them: they can become unfinished. */
  readonly doubted: ReadonlySet<string>;
  /** Whether a stored bar that the provider has changed is replaced. */
  readonly takesRevisions: boolean;
  /** Whether a symbol's stored bar is taken away where the provider now has none for the date. */
  readonly mayWithdraw: (symbol: string) => boolean;
  /** Whether the batch's own file is written even where there is nothing to put in it. */
  readonly needsFile: boolean;
}

/** The batch's own file as it is stored now, of no bytes where there is none, and what was done to the session. */
export interface StoredSession {
  readonly rows: number;
  readonly bytes: number;
  readonly sha256: string;
  /** Bars stored of symbols that had none. */
  readonly added: number;
  /** Stored bars that were replaced. */
  readonly revised: number;
}

const NOTHING_STORED: StoredSession = { rows: 0, bytes: 0, sha256: "", added: 0, revised: 0 };

/**
 * Adds to a session what was fetched of it. A file that would stay the same is not written again. Where another writer
 * has changed it meanwhile, it is read again and added to: neither loses the other's bars. A changed bar is replaced in
 * the file that holds it, after old and new values were recorded.
 * @throws StoreConflictError where others kept changing a file.
 */
export async function storeSession(
  { key, day, fetched, needsFile, ...rules }: SessionToStore,
  runtime: Pick<Runtime, "store" | "clock" | "random">,
): Promise<StoredSession> {
  const owners = new Map<string, StoredBatchFile>();
  for (const file of day.files) {
    for (const { symbol } of file.contents.bars) if (file.key !== key) owners.set(symbol, file);
  }
  const own = fetched.filter(({ report }) => !owners.has(report.symbol));
  const ownFile = day.files.find((file) => file.key === key);
  const hasFile = needsFile || ownFile !== undefined || own.length > 0;
  const stored = hasFile ? await changeFile({ ...rules, key, before: ownFile, fetched: own }, runtime) : NOTHING_STORED;
  let { revised } = stored;
  for (const file of new Set(owners.values())) {
    const changed = fetched.filter(({ report }) => owners.get(report.symbol) === file);
    if (!rules.takesRevisions || changed.length === 0) continue;
    revised += (await changeFile({ ...rules, key: file.key, before: file, fetched: changed }, runtime)).revised;
  }
  return { ...stored, revised };
}

/** What is to be changed in one file. */
type FileChange = Omit<SessionToStore, "day" | "needsFile"> & {
  /** The file as it was read; undefined where there was none. */
  readonly before: StoredBatchFile | undefined;
};

async function changeFile(
  { key, before, fetched, source, doubted, takesRevisions, mayWithdraw }: FileChange,
  runtime: Pick<Runtime, "store" | "clock" | "random">,
): Promise<StoredSession> {
  const { store, clock, random } = runtime;
  const asked = new Map(before?.contents.reports.map((report) => [report.symbol, report]));
  const isDoubted = (known: SymbolReport): boolean =>
    doubted.has(known.symbol) && asked.get(known.symbol)?.outcome === known.outcome;
  let current = before;
  for (let writes = 1; ; writes += 1) {
    const { bars, reports, added, revisions, isChanged } = merge(current?.contents, fetched, {
      ...{ isDoubted, takesRevisions, mayWithdraw },
      now: clock.now(),
    });
    if (current !== undefined && !isChanged) {
      return { rows: bars.length, bytes: current.bytes, sha256: current.sha256, added: 0, revised: 0 };
    }
    const bytes = await encodeBatchFile({ bars, reports, source });
    const hash = sha256(bytes);
    const file = { rows: bars.length, bytes: bytes.length, sha256: hash, added, revised: revisions.length };
    try {
      // First the record: a change without one could not be told from the truth.
      await storeRevisions(key, revisions, runtime);
      await store.replace(key, bytes, current?.version);
      return file;
    } catch (error) {
      if (!(error instanceof StoreConflictError) || writes === WRITES) throw error;
      await clock.sleep(Math.ceil(random() * LONGEST_WAIT_MS));
      current = await readStoredFile(store, key);
    }
  }
}

interface MergeRules extends Pick<SessionToStore, "takesRevisions" | "mayWithdraw"> {
  readonly isDoubted: (known: SymbolReport) => boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
}

interface Merged extends Pick<BatchContents, "bars" | "reports"> {
  readonly added: number;
  readonly revisions: readonly Revision[];
  /** Whether it says anything that is not stored. */
  readonly isChanged: boolean;
}

/**
 * What is stored, and what was fetched besides. A bar that is stored stands, unless the provider has changed it and that
 * is to be taken over, or it was doubted and the provider has none. A final outcome stands too: only a bar replaces it, or
 * where it was doubted whatever was found.
 */
function merge(
  stored: BatchContents | undefined,
  fetched: readonly FetchedSymbol[],
  { isDoubted, takesRevisions, mayWithdraw, now }: MergeRules,
): Merged {
  const bars = new Map(stored?.bars.map((bar) => [bar.symbol, bar]));
  const reports = new Map(stored?.reports.map((report) => [report.symbol, report]));
  const revisions: Revision[] = [];
  let added = 0;
  let isReportChanged = false;
  for (const { bar, report } of fetched) {
    const known = reports.get(report.symbol);
    if (bar !== undefined) {
      const before = bars.get(bar.symbol);
      const revision = before === undefined || !takesRevisions ? undefined : reviseBar(before, bar);
      if (before === undefined) added += 1;
      if (revision !== undefined) revisions.push(revision);
      if (before === undefined) bars.set(bar.symbol, bar);
      else if (revision !== undefined) bars.set(bar.symbol, inPlaceOf(before, bar));
      continue;
    }
    const before = bars.get(report.symbol);
    if (before !== undefined && takesRevisions && report.outcome === "noTrade" && mayWithdraw(report.symbol)) {
      revisions.push(withdrawBar(before, now));
      bars.delete(report.symbol);
    }
    if (known === undefined || !isFinal(known.outcome) || isDoubted(known) || isSettledNow(known, report)) {
      isReportChanged ||= known?.outcome !== report.outcome || known.reason !== report.reason;
      reports.set(report.symbol, report);
    }
  }
  return {
    bars: [...bars.values()],
    reports: [...reports.values()].filter(({ symbol }) => !bars.has(symbol)),
    added,
    revisions,
    isChanged: added > 0 || revisions.length > 0 || isReportChanged,
  };
}

/** A bar that was invalid can turn out to be none at all, or invalid for another reason. */
function isSettledNow(known: SymbolReport, report: SymbolReport): boolean {
  return known.outcome === "invalid" && isFinal(report.outcome);
}

/** A changed bar stays in the batch it came in. */
function inPlaceOf(before: Bar, bar: Bar): Bar {
  return { ...bar, batchNumber: before.batchNumber };
}
