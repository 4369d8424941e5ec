/** A small market over fifteen sessions, the lake that fifteen evenings make of it, and the harm that is done to it. */
import { runDailyWorkflow, type WorkflowEnd } from "../../cli/daily-workflow.ts";
import type { Bar } from "../../domain/bar.ts";
import { countOutcomes, isFinal, type SymbolReport, type SymbolUpdaterEvent } from "../../domain/batch.ts";
import { runKey, symbolsKey } from "../../domain/object-keys.ts";
import { RUN_STATUSES, type RunSummary } from "../../domain/run-summary.ts";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import { dateInSydney, settledInstant } from "../../domain/trading-date.ts";
import { encodeBatchFile } from "../../lambdas/runtime/batch-file-writer.ts";
import type { Clock } from "../../lambdas/runtime/clock.ts";
import { readRunSummary } from "../../lambdas/runtime/earlier-sessions.ts";
import { readStoredDay, type StoredBatchFile } from "../../lambdas/runtime/stored-day.ts";
import type { MarketBar } from "../../sandbox/market.ts";
import { SANDBOX_PATHS } from "../../sandbox/server.ts";
import { decodeBatchFile } from "../../stores/batch-file-reader.ts";
import { sha256 } from "../../stores/sha256.ts";
import { createDrivenClock } from "../support/driven-clock.ts";
import { createTestRuntime, type TestRuntime } from "../support/test-runtime.ts";
import { createTinyMarket, sandboxFetch, type TinyMarket } from "../support/tiny-market.ts";

/** The sessions of the lake, ascending. */
export const SESSIONS = createTradingCalendar().tradingDays("2024-05-13", "2024-05-31");
/** The last of them, of which the runs that catch up are. */
export const LAST = SESSIONS.at(-1) ?? "";
export const BATCH_SIZE = 3;

const STEADY = ["AAA", "BBB", "CCC", "DDD", "EEE", "FFF", "GGG", "HHH"];
/** Leaves the exchange after the sixth session, and another enters it on the ninth. */
const LEAVER = "OLD";
const ENTRANT = "NEW";
const LEAVES_AFTER = 6;
const ENTERS_ON = 8;

/** Random numbers from 0 up to 1, the same for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** One of several, by a random number. */
export function pick<Item>(items: readonly Item[], random: () => number): Item {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new Error("nothing to pick from");
  return item;
}

/** The symbols that the directory lists on a session. */
export function listedOn(session: string): string[] {
  const index = SESSIONS.indexOf(session);
  return [...STEADY, ...(index < LEAVES_AFTER ? [LEAVER] : []), ...(index >= ENTERS_ON ? [ENTRANT] : [])].sort();
}

function barsOf(symbol: string, random: () => number): Record<string, Partial<MarketBar>> {
  const bars: Record<string, Partial<MarketBar>> = {};
  let close = 5 + random() * 5;
  for (const session of SESSIONS) {
    close *= 0.98 + random() * 0.04;
    // One symbol never trades, one often does not.
    const trades = symbol !== "HHH" && (symbol !== "GGG" || random() < 0.5);
    if (!trades || !listedOn(session).includes(symbol)) continue;
    const price = Math.fround(Number(close.toFixed(3)));
    const prices = { open: price, high: price, low: price, close: price, adjustedClose: price };
    bars[session] = { ...prices, volume: 1_000 + Math.floor(random() * 1_000) };
  }
  return bars;
}

/** A market whose directory is that of the session that was opened last. */
function marketOf(seed: number): { tiny: TinyMarket; open(session: string): void } {
  const random = randomOf(seed);
  const symbols = [...STEADY, LEAVER, ENTRANT];
  const tiny: TinyMarket = { bars: Object.fromEntries(symbols.map((symbol) => [symbol, barsOf(symbol, random)])) };
  return {
    tiny,
    open(session) {
      const header = `"ASX code","Company name","GICs industry group","Listing date","Market Cap"`;
      const lines = listedOn(session).map((symbol) => `"${symbol}","${symbol} LIMITED","Materials","01/02/2003",1000`);
      tiny.directory = [header, ...lines].join("\n");
    },
  };
}

/** A chart that was asked for. */
export interface AskedChart {
  readonly symbol: string;
  /** Trading dates, both inclusive. */
  readonly from: string;
  readonly to: string;
}

/** The market on an evening, and a store into which runs fetch. */
export interface World {
  readonly runtime: TestRuntime<Clock>;
  readonly asked: AskedChart[];
  run(event: SymbolUpdaterEvent): Promise<WorkflowEnd>;
}

/** @param objects what is stored already. */
export function openWorld(
  seed: number,
  session: string,
  objects: Iterable<readonly [string, Uint8Array]> = [],
  delivery?: Parameters<typeof sandboxFetch>[2],
): World {
  const market = marketOf(seed);
  market.open(session);
  const clock = createDrivenClock(new Date(settledInstant(session) + 1_800_000).toISOString());
  const upstream = sandboxFetch(createTinyMarket(market.tiny), clock.now, delivery);
  const asked: AskedChart[] = [];
  const fetch: typeof upstream.fetch = (url, init) => {
    const symbol = /chart\/(\w+)\.AX$/.exec(url.pathname)?.[1];
    const dateOf = (name: string, addMs = 0): string => dateInSydney(Number(url.searchParams.get(name)) * 1000 + addMs);
    if (symbol !== undefined) asked.push({ symbol, from: dateOf("period1"), to: dateOf("period2", -1) });
    return upstream.fetch(url, init);
  };
  const runtime = { ...createTestRuntime({ fetch }), clock };
  for (const [key, bytes] of objects) runtime.store.objects.set(key, bytes);
  return {
    runtime,
    asked,
    run: (event) =>
      runDailyWorkflow(event, {
        environment: {
          ASX_DIRECTORY_URL: `http://sandbox${SANDBOX_PATHS.directory}`,
          ASX_OLDER_DIRECTORY_URL: `http://sandbox${SANDBOX_PATHS.olderDirectory}`,
          YAHOO_URL: "http://sandbox",
          BATCH_SIZE: String(BATCH_SIZE),
          REQUESTS_PER_SECOND: "unlimited",
        },
        runtime,
        maxConcurrency: 2,
        onNotification: () => undefined,
        retryDelayMs: 0,
        run: `run-${seed}-${session}`,
        longestRedriveWaitMs: 0,
      }),
  };
}

/** What fifteen evenings store, all of them whole. */
export async function growLake(seed: number): Promise<ReadonlyMap<string, Uint8Array>> {
  let objects: ReadonlyMap<string, Uint8Array> = new Map();
  for (const session of SESSIONS) {
    const world = openWorld(seed, session, objects);
    const { digest } = await world.run({ acceptDirectory: true });
    if (digest?.status !== "complete") throw new Error(`the evening of ${session} ended ${JSON.stringify(digest)}`);
    objects = world.runtime.store.objects;
  }
  return objects;
}

/** Every bar of the lake but for when and in which batch it was fetched, by session and symbol. */
export async function rowsOf({ store }: Pick<TestRuntime, "store">): Promise<Record<string, unknown>> {
  const rows: Record<string, unknown> = {};
  for (const session of SESSIONS) {
    const day = await readStoredDay(store, session);
    const bars: Bar[] = day.files.flatMap(({ contents }) => contents.bars);
    for (const { fetchTimestamp: _, batchNumber: __, ...bar } of bars) rows[`${session} ${bar.symbol}`] = bar;
  }
  return rows;
}

/** What is left of a session in a lake that was harmed. */
export interface SessionLeft {
  isHarmed: boolean;
  hasSummary: boolean;
  /** The symbols that its summary knows, whether there is one still or not. */
  readonly known: readonly string[];
  /** Symbols whose outcome stands in files that can be read, and whether it is a bar. */
  readonly standing: Map<string, boolean>;
}

/** A lake that is harmed, and what is left of it. */
export interface HarmedLake {
  readonly runtime: Pick<TestRuntime, "store">;
  readonly left: ReadonlyMap<string, SessionLeft>;
  readonly harms: string[];
}

/** What is left of a lake before any harm. */
export async function wholeLake(runtime: World["runtime"]): Promise<HarmedLake> {
  const left = new Map<string, SessionLeft>();
  for (const session of SESSIONS) {
    const { reports } = await readStoredDay(runtime.store, session);
    const standing = new Map([...reports].map(([symbol, { outcome }]) => [symbol, outcome === "fetched"]));
    left.set(session, { isHarmed: false, hasSummary: true, known: [...standing.keys()], standing });
  }
  return { runtime, left, harms: [] };
}

const HARMS = [
  "day",
  "summary",
  "damaged summary",
  "file",
  "damaged file",
  "symbol",
  "unfinished",
  "silent symbol",
] as const;

/** Does one harm to a random session; nothing where the session has nothing that it could be done to. */
export async function harm({ runtime, left, harms }: HarmedLake, random: () => number): Promise<void> {
  const { store } = runtime;
  const session = pick(SESSIONS, random);
  const state = left.get(session);
  if (state === undefined) return;
  const kind = pick(HARMS, random);
  const files = await readableFiles(store, session);
  const file = files.length === 0 ? undefined : pick(files, random);
  const symbolsIn = ({ contents }: StoredBatchFile): string[] =>
    [...contents.bars, ...contents.reports].map(({ symbol }) => symbol);
  const loseSummary = async (): Promise<void> => {
    state.hasSummary = false;
    await store.remove(runKey(session));
  };
  switch (kind) {
    case "day":
      await loseSummary();
      for (const key of [...store.objects.keys()].filter((key) => key.startsWith(`raw-data/${session}`))) {
        await store.remove(key);
      }
      if (random() < 0.5) await store.remove(symbolsKey(session));
      state.standing.clear();
      break;
    case "summary":
      await loseSummary();
      break;
    case "damaged summary":
      if (!state.hasSummary) return;
      state.hasSummary = false;
      await store.put(runKey(session), changed(store.objects.get(runKey(session)), 0));
      break;
    case "file":
      if (file === undefined) return;
      for (const symbol of symbolsIn(file)) state.standing.delete(symbol);
      await store.remove(file.key);
      break;
    case "damaged file": {
      if (file === undefined) return;
      const bytes = changed(store.objects.get(file.key), Math.floor(random() * file.bytes));
      await store.put(file.key, bytes);
      // A few bytes say nothing of what the file holds: it has other bytes then, and lacks nothing.
      const isReadable = await decodeBatchFile(file.key, bytes).then(
        () => true,
        () => false,
      );
      if (!isReadable) for (const symbol of symbolsIn(file)) state.standing.delete(symbol);
      break;
    }
    default: {
      if (file === undefined || symbolsIn(file).length === 0) return;
      const symbol = pick(symbolsIn(file), random);
      const outcome = pick(["failed", "deferred"] as const, random);
      const report: SymbolReport = { symbol, outcome, reason: "made up" };
      state.standing.delete(symbol);
      const bytes = await without(file, symbol, kind === "unfinished" ? [report] : []);
      await store.put(file.key, bytes);
      if (kind !== "silent symbol" && state.hasSummary) await followIn(store, session, file.key, bytes, report);
    }
  }
  state.isHarmed = true;
  harms.push(`${kind} of ${session}`);
}

async function readableFiles(store: TestRuntime["store"], session: string): Promise<readonly StoredBatchFile[]> {
  try {
    return (await readStoredDay(store, session)).files;
  } catch {
    return []; // one of them is damaged already
  }
}

/** Bytes of which one has another value. */
function changed(bytes: Uint8Array | undefined, index: number): Uint8Array {
  const copy = new Uint8Array(bytes ?? []);
  copy[index] = (copy[index] ?? 0) ^ 0x55;
  return copy;
}

function without({ contents }: StoredBatchFile, symbol: string, reports: readonly SymbolReport[]): Promise<Uint8Array> {
  return encodeBatchFile({
    bars: contents.bars.filter((bar) => bar.symbol !== symbol),
    reports: [...contents.reports.filter((report) => report.symbol !== symbol), ...reports],
    source: contents.source ?? "stand-in",
  });
}

/** Makes a summary say what became of a file and a symbol. */
async function followIn(
  store: TestRuntime["store"],
  session: string,
  key: string,
  bytes: Uint8Array,
  report: SymbolReport,
): Promise<void> {
  const summary = await readRunSummary(store, session);
  if (summary === undefined) return;
  const outcomes = summary.outcomes.map((known) => (known.symbol === report.symbol ? report : known));
  const followed: RunSummary = {
    ...summary,
    status: outcomes.every(({ outcome }) => isFinal(outcome)) ? RUN_STATUSES.complete : RUN_STATUSES.partial,
    outcomes,
    counts: countOutcomes(outcomes),
    batches: summary.batches.map((batch) =>
      batch.key === key ? { ...batch, bytes: bytes.length, sha256: sha256(bytes) } : batch,
    ),
  };
  await store.put(runKey(session), new TextEncoder().encode(JSON.stringify(followed)));
}
