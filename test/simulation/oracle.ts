/** Says whether the promises hold, by reading the store as a reader would. */
import type { Bar } from "../../domain/bar.ts";
import { countOutcomes, SYMBOL_SOURCES } from "../../domain/batch.ts";
import { parseRawDataKey, parseRevisionsKey, rawDataKey, runKey } from "../../domain/object-keys.ts";
import { parseRunSummary } from "../../domain/parse-run-summary.ts";
import { parseRevisions, type Revision, revisionsFile } from "../../domain/revision.ts";
import type { RunSummary } from "../../domain/run-summary.ts";
import { type BatchContents, decodeBatchFile } from "../../stores/batch-file-reader.ts";
import { sha256 } from "../../stores/sha256.ts";
import type { MemoryStore } from "../support/memory-store.ts";
import type { BarTruth, SimulatedMarket } from "./market.ts";
import type { RunRecord, RunsRecord } from "./world.ts";

/** A promise that was broken. */
export class BrokenPromise extends Error {
  override readonly name = "BrokenPromise";
}

/** What is stored, by session and symbol. */
export interface Stored {
  readonly bars: ReadonlyMap<string, ReadonlyMap<string, Bar>>;
  readonly revisions: readonly (Revision & { readonly date: string })[];
}

/** Values that the provider decides, in the order in which they are compared. */
const VALUES = ["open", "high", "low", "close", "adjustedClose", "volume", "dividend", "splitRatio"] as const;
type Values = Pick<Bar, (typeof VALUES)[number]>;

/** Codes that a faulty directory lists besides. */
const ODD_CODES = new Set(["360", "NAN", "INF", "TRU", "AWJN", "AFWDA"]);

/** A stored file is an array that is never written to, so it is read once. */
const decoded = new WeakMap<Uint8Array, Promise<BatchContents>>();

function decodeOnce(key: string, bytes: Uint8Array): Promise<BatchContents> {
  const contents = decoded.get(bytes) ?? decodeBatchFile(key, bytes);
  decoded.set(bytes, contents);
  return contents;
}

/** Reads everything that is stored. */
export async function readStored({ objects }: MemoryStore): Promise<Stored> {
  const bars = new Map<string, Map<string, Bar>>();
  const revisions: (Revision & { date: string })[] = [];
  for (const [key, bytes] of objects) {
    const name = parseRawDataKey(key);
    if (name !== undefined) {
      const ofDate = bars.get(name.date) ?? new Map<string, Bar>();
      bars.set(name.date, ofDate);
      for (const bar of (await decodeOnce(key, bytes)).bars) {
        if (ofDate.has(bar.symbol)) throw new BrokenPromise(`${bar.symbol} is stored twice on ${name.date}`);
        ofDate.set(bar.symbol, bar);
      }
    }
    if (parseRevisionsKey(key) !== undefined) {
      const file = revisionsFile.parse(JSON.parse(new TextDecoder().decode(bytes)));
      revisions.push(...file.revisions.map((revision) => ({ ...revision, date: file.date })));
    }
  }
  return { bars, revisions };
}

/** No file was ever written over with less in it, not even for a moment. */
export async function checkNeverLess(written: readonly (readonly [key: string, bytes: Uint8Array])[]): Promise<void> {
  const held = new Map<string, ReadonlySet<string>>();
  /** Symbols whose bars in a file were withdrawn, by record. */
  const withdrawn = new Map<string, ReadonlySet<string>>();
  for (const [key, bytes] of written) {
    const record = parseRevisionsKey(key);
    if (record !== undefined) {
      const taken = parseRevisions(key, bytes).filter(({ after }) => after === null);
      withdrawn.set(rawDataKey(record), new Set(taken.map(({ symbol }) => symbol)));
    }
    if (parseRawDataKey(key) === undefined) continue;
    const { bars } = await decodeOnce(key, bytes);
    const symbols = new Set(bars.map(({ symbol }) => symbol));
    const lost = [...(held.get(key) ?? [])].filter(
      (symbol) => !symbols.has(symbol) && withdrawn.get(key)?.has(symbol) !== true,
    );
    if (lost.length > 0) throw new BrokenPromise(`${key} had bars of ${lost}, and was written over without`);
    held.set(key, symbols);
  }
}

/** What was stored before is there still, or its change is on record. */
export function checkNothingLost(before: Stored, after: Stored): void {
  for (const [date, bars] of before.bars) {
    for (const [symbol, bar] of bars) {
      const now = after.bars.get(date)?.get(symbol);
      if (now !== undefined && isSame(bar, now)) continue;
      const records = after.revisions.filter((one) => one.date === date);
      if (!isRecorded(bar, now, records)) {
        const what = now === undefined ? "is gone" : `changed to ${show(now)}`;
        throw new BrokenPromise(`the bar of ${symbol} on ${date}, ${show(bar)}, ${what} without a record`);
      }
    }
  }
}

/** Whether records lead from one bar to another, or to none. */
function isRecorded(before: Bar, after: Bar | undefined, revisions: readonly Revision[]): boolean {
  let values: Values | null = before;
  for (const revision of revisions.filter(({ symbol }) => symbol === before.symbol)) {
    if (values !== null && isSame(revision.before, values)) values = revision.after;
    if (values === null ? after === undefined : after !== undefined && isSame(values, after)) return true;
  }
  return false;
}

/** Every bar was the provider's at some time, unless the provider misled us about the symbol. */
export function checkGiven(stored: Stored, market: SimulatedMarket, misled: ReadonlySet<string>): void {
  for (const [date, bars] of stored.bars) {
    for (const [symbol, bar] of bars) {
      if (misled.has(symbol)) continue;
      const views = market.everyView(symbol, date);
      if (!views.some((view) => isEqual(bar, view))) {
        throw new BrokenPromise(
          `${symbol} on ${date} is stored as ${show(bar)}; the provider had ${views.map(show).join(" or ") || "no bar"}`,
        );
      }
    }
  }
}

/** The summary of a run that has ended says what is stored, and of every symbol one thing. */
export function checkSummary(
  date: string,
  store: MemoryStore,
  market: SimulatedMarket,
  isListTrue: boolean,
): RunSummary {
  const key = runKey(date);
  const bytes = store.objects.get(key);
  if (bytes === undefined) throw new BrokenPromise(`the run ended without ${key}`);
  const summary = parseRunSummary(key, bytes);
  const symbols = summary.outcomes.map(({ symbol }) => symbol);
  const outcomes = new Set(symbols);
  if (outcomes.size !== symbols.length) throw new BrokenPromise(`${key} has two outcomes of one symbol: ${symbols}`);
  const listed = market.listed(date);
  // A directory of odd codes is larger than the true one, which then looks truncated: the list stored before stands in.
  const isToday = summary.symbols.source !== SYMBOL_SOURCES.stored;
  const missing = isListTrue && isToday ? listed.filter((symbol) => !outcomes.has(symbol)) : [];
  if (missing.length > 0) throw new BrokenPromise(`${key} has no outcome of ${missing}`);
  const added = isToday ? symbols.filter((symbol) => !listed.includes(symbol) && !ODD_CODES.has(symbol)) : [];
  if (added.length > 0) throw new BrokenPromise(`${key} has outcomes of ${added}, which are not listed`);
  const counts = countOutcomes(summary.outcomes);
  if (JSON.stringify(counts) !== JSON.stringify(summary.counts)) {
    throw new BrokenPromise(
      `${key} counts ${JSON.stringify(summary.counts)}, its outcomes are ${JSON.stringify(counts)}`,
    );
  }
  const stops = summary.quality?.findings.some((finding) => finding.stops) === true;
  if (summary.status === "complete" && (counts.failed + counts.deferred > 0 || counts.fetched === 0 || stops)) {
    throw new BrokenPromise(
      `${key} is complete with ${JSON.stringify(counts)}${stops ? " and a finding that stops" : ""}`,
    );
  }
  return summary;
}

/** Right after a run its summary vouches for every file of the date, and says of every symbol what the files do. */
export function checkManifest(summary: RunSummary, { objects }: MemoryStore, stored: Stored): void {
  const { date } = summary;
  const files = [...objects.keys()].filter((key) => parseRawDataKey(key)?.date === date).sort();
  const named = summary.batches.flatMap(({ key }) => key ?? []).sort();
  if (files.join() !== named.join())
    throw new BrokenPromise(`the summary of ${date} names ${named}, stored are ${files}`);
  for (const { key, sha256: hash } of summary.batches) {
    const bytes = key === null ? undefined : objects.get(key);
    if (bytes !== undefined && sha256(bytes) !== hash) throw new BrokenPromise(`${key} is not the file of its SHA-256`);
  }
  const fetched = summary.outcomes.filter(({ outcome }) => outcome === "fetched").map(({ symbol }) => symbol);
  const barred = [...(stored.bars.get(date)?.keys() ?? [])];
  if (fetched.sort().join() !== barred.sort().join()) {
    throw new BrokenPromise(`fetched by the summary of ${date} are ${fetched}; stored are ${barred}`);
  }
}

/** No second, wherever it begins, holds more requests than the budget. */
export function checkBudget({ requests }: RunRecord, budget: number): void {
  const times = requests.toSorted((left, right) => left - right);
  for (const [index, time] of times.entries()) {
    const first = times[index - budget];
    if (first !== undefined && time - first < 1000) {
      throw new BrokenPromise(
        `${budget + 1} requests in ${time - first} ms from ${new Date(first).toISOString()}, the budget is ${budget} a second`,
      );
    }
  }
}

/** Of two runs of one date one waits for the other to end, or says why it does nothing. */
export function checkTurnedAway(runs: RunsRecord): void {
  if (runs.second === undefined) return;
  const both = [runs, runs.second];
  for (const { end, requests, errors } of both) {
    if (end === undefined || end.digest !== undefined || end.error !== undefined) continue;
    const says = errors.some((error) => /^RunUnderWayError: .* is being run by the execution .* since /.test(error));
    if (!says || requests.length > 0) {
      throw new BrokenPromise(
        `a run did nothing beside another after ${requests.length} requests and said: ${errors.join("; ")}`,
      );
    }
  }
  const [one, other] = both.map(({ requests }) => [Math.min(...requests), Math.max(...requests)] as const);
  if (one !== undefined && other !== undefined && one[0] <= other[1] && other[0] <= one[1]) {
    throw new BrokenPromise("two runs of one date asked at the same time");
  }
}

/** At the end everything that the market has is stored with its exact values, and nothing else. */
export function checkWhole(
  stored: Stored,
  market: SimulatedMarket,
  sessions: readonly string[],
  listed: readonly string[],
  misled: ReadonlySet<string>,
): void {
  for (const date of sessions) {
    for (const symbol of listed) {
      const bar = stored.bars.get(date)?.get(symbol);
      const truth = market.bar(symbol, date);
      if (bar === undefined && truth !== undefined)
        throw new BrokenPromise(`the bar of ${symbol} on ${date} is not stored`);
      // A bar is never taken away: a provider that has it no more is no proof that there was none.
      if (bar !== undefined && truth === undefined && !misled.has(symbol))
        throw new BrokenPromise(`${symbol} has no bar on ${date}, stored is ${show(bar)}`);
      if (bar !== undefined && truth !== undefined && !isEqual(bar, truth)) {
        throw new BrokenPromise(`${symbol} on ${date} is stored as ${show(bar)}, not as ${show(truth)}`);
      }
    }
  }
}

function isSame(left: Values, right: Values): boolean {
  return VALUES.every((field) => left[field] === right[field]);
}

/** A stored adjusted close stands while the provider's differs by arithmetic noise only. */
function isEqual(bar: Bar, truth: BarTruth): boolean {
  return VALUES.every((field) =>
    field === "adjustedClose"
      ? bar.adjustedClose !== null && Math.abs(bar.adjustedClose - truth.adjustedClose) <= 1e-6 * truth.adjustedClose
      : bar[field] === truth[field],
  );
}

function show(values: Values): string {
  return VALUES.map((field) => values[field]).join("/");
}
