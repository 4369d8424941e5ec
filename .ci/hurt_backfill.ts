/**
 * Hurts one real backfill with real processes: kills `asx backfill` at chance moments until it is whole, against a sandbox
 * that is late and refuses what is above its limit, while the directory changes half-way. The lake is that of an undisturbed
 * backfill, and hardly a symbol is asked for twice.
 *
 *   node .ci/hurt_backfill.ts [KILLS] [SYMBOLS] [SEED]
 */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { parquetReadObjects } from "hyparquet";
import * as z from "zod";
import { backfillKey, historyFilesPrefix, parsePendingKey, pendingFolder } from "../domain/object-keys.ts";
import type { ObjectStore } from "../domain/object-store.ts";
import { parseBackfillRecord } from "../domain/parse-backfill-record.ts";
import { compareSymbols } from "../domain/symbol.ts";
import { parseDirectory } from "../lambdas/symbol-updater/asx-directory.ts";
import { newerDirectoryFile, olderDirectoryFile } from "../sandbox/directory-file.ts";
import { uniform } from "../sandbox/random.ts";
import { rateLimited } from "../sandbox/rate-limit.ts";
import { startSandbox } from "../sandbox/server.ts";
import { createSyntheticMarket } from "../sandbox/synthetic-market.ts";
import { readHistoryFacts } from "../stores/history-file-reader.ts";
import { createLocalStore } from "../stores/local-store.ts";

const SPAN = { from: "2021-01-04", to: "2024-05-31" };
const LATENCY_MS = 60;
const LIMIT_PER_SECOND = 40;
const RATE = 36;
/** A kill of so many comes while the process starts and plans; the others while it fetches. */
const EARLY_KILL = 6;
const LARGEST_EXCESS = 0.05;
const CLI = fileURLToPath(new URL("../cli/main.ts", import.meta.url));
const [kills = 30, symbolCount = 300, seed = 1] = process.argv.slice(2).map(Number);

const row = z.looseObject({ symbol: z.string(), date: z.date() });

const whole = createSyntheticMarket({ seed: 1, now: Date.now });
const listings = parseDirectory(whole.directory().current).listings.slice(0, symbolCount + 6);
/** Half-way six companies are new, and six are gone. */
const directories = { first: listings.slice(0, symbolCount), second: listings.slice(6), all: listings };
let directory: keyof typeof directories = "all";
/** Charts asked for, in order; undone ones were refused. */
let asked: { readonly symbol: string; readonly refused: boolean }[] = [];

const folder = await mkdtemp(join(tmpdir(), "asx-eod-hurt-"));
const limited = rateLimited(
  { perSecond: LIMIT_PER_SECOND, burst: 10, retryAfter: true },
  Date.now,
  async (answer, { ticker }) => {
    if (ticker !== undefined) asked.push({ symbol: ticker.replace(/\.AX$/, ""), refused: answer.status === 429 });
    await sleep(LATENCY_MS);
    return answer;
  },
);
const sandbox = await startSandbox({
  market: {
    directory: () => ({
      current: newerDirectoryFile(directories[directory]),
      older: olderDirectoryFile(directories[directory], Date.now()),
    }),
    history: (symbol, from, to) => whole.history(symbol, from, to),
  },
  now: Date.now,
  delivery: limited,
});

try {
  const undisturbed = createLocalStore(join(folder, "undisturbed"));
  const startedAt = performance.now();
  const first = await start("undisturbed").ended;
  check(first.code === 0, `an undisturbed backfill ended with ${first.code}: ${first.stderr.slice(-600)}`);
  const fetchMs = (directories.all.length / RATE) * 1000;
  const expected = await barsOf(undisturbed);
  process.stdout.write(
    `undisturbed: ${directories.all.length} symbols, ${asked.length} requests, ${count(expected)} bars in ${((performance.now() - startedAt) / 1000).toFixed(1)} s\n`,
  );

  asked = [];
  directory = "first";
  const store = createLocalStore(join(folder, "hurt"));
  let lost = 0;
  let killed = 0;
  let end: Ended | undefined;
  for (; killed < kills && end === undefined; killed += 1) {
    if (killed === Math.floor(kills / 2)) directory = "second";
    const askedBefore = asked.length;
    const victim = start("hurt");
    const chance = uniform(seed, killed, 0);
    if (killed % EARLY_KILL === 0) await Promise.race([sleep(chance * 1_500), victim.ended]);
    else {
      while (asked.length === askedBefore && !victim.hasEnded()) await sleep(5);
      await Promise.race([sleep((chance * 1.6 * fetchMs) / kills), victim.ended]);
    }
    if (victim.hasEnded()) {
      end = await victim.ended;
      break;
    }
    victim.process.kill("SIGKILL");
    await victim.ended;
    const stored = await storedSymbols(store);
    const lostNow = asked.slice(askedBefore).filter(({ symbol, refused }) => !refused && !stored.has(symbol)).length;
    lost += lostNow;
  }
  end ??= await start("hurt").ended;
  check(end.code === 0, `the last backfill ended with ${end.code}: ${end.stderr.slice(-600)}`);

  const bars = await barsOf(store);
  const mustHave = directories.second.map(({ symbol }) => symbol).filter((symbol) => expected.has(symbol));
  for (const symbol of mustHave) check(bars.has(symbol), `${symbol} has no bars`);
  for (const [symbol, rows] of bars) {
    check(isDeepStrictEqual(rows, expected.get(symbol)), `the bars of ${symbol} are others`);
  }
  const leftPending = await store.list(pendingFolder(SPAN));
  check(leftPending.length === 0, `${leftPending.length} pending objects are left, such as ${leftPending[0]?.key}`);
  const served = asked.filter(({ refused }) => !refused);
  const fewest = new Set(served.map(({ symbol }) => symbol)).size;
  const excess = served.length - lost - fewest;
  process.stdout.write(
    `killed ${killed} times: ${fewest} symbols, ${served.length} requests answered (${lost} of them lost at a kill, ${excess} more than the fewest possible), ${asked.length - served.length} refused with 429\n`,
  );
  check(excess <= fewest * LARGEST_EXCESS, `${excess} requests were made twice`);

  asked = [];
  const idle = await start("hurt").ended;
  check(
    idle.code === 0 && asked.length === 0,
    `a whole backfill that is run again ends with ${idle.code} and asks ${asked.length} times`,
  );
  process.stdout.write(
    `ok: ${count(bars)} bars of ${bars.size} symbols are those of the undisturbed backfill; run again it asks for nothing\n`,
  );
} finally {
  await sandbox.close();
  await rm(folder, { recursive: true, force: true });
}

interface Ended {
  readonly code: number | null;
  readonly stderr: string;
}

/** Starts a backfill of some batches at a time. */
function start(name: string) {
  const options = [
    "--from",
    SPAN.from,
    "--to",
    SPAN.to,
    "--store",
    `file:${join(folder, name)}`,
    "--source",
    sandbox.url,
  ];
  const sizes = ["--rate", String(RATE), "--batch-size", "20", "--max-concurrency", "3"];
  const child = spawn(process.execPath, [CLI, "backfill", ...options, ...sizes], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  let hasEnded = false;
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject).once("close", (code) => {
      hasEnded = true;
      resolve({ code, stderr });
    });
  });
  return { process: child, ended, hasEnded: () => hasEnded };
}

/** Symbols whose answer is kept, pending or in a file. */
async function storedSymbols(store: ObjectStore): Promise<Set<string>> {
  const pending = (await store.list(pendingFolder(SPAN))).flatMap(({ key }) => parsePendingKey(key)?.symbol ?? []);
  const files = await store.list(historyFilesPrefix(SPAN));
  const reports = await Promise.all(
    files.map(async ({ key }) => (await readHistoryFacts(key, await bytesOf(store, key))).reports),
  );
  return new Set([...pending, ...reports.flat().map(({ symbol }) => symbol)]);
}

/** The bars of every symbol by date, in the files that the record names, but for when they were fetched and their batch. */
async function barsOf(store: ObjectStore): Promise<Map<string, object[]>> {
  const key = backfillKey(SPAN);
  const record = parseBackfillRecord(key, await bytesOf(store, key));
  const rows: z.infer<typeof row>[] = [];
  for (const batch of record.batches) {
    const file = new Uint8Array(await bytesOf(store, batch.key)).buffer;
    rows.push(...z.array(row).parse(await parquetReadObjects({ file })));
  }
  const plain = rows.map(({ fetch_timestamp: _, batch_number: __, ...bar }) => bar);
  plain.sort((left, right) => compareSymbols(left.symbol, right.symbol) || left.date.getTime() - right.date.getTime());
  return Map.groupBy(plain, ({ symbol }) => symbol);
}

async function bytesOf(store: ObjectStore, key: string): Promise<Uint8Array> {
  const bytes = await store.get(key);
  if (bytes === undefined) throw new Error(`${store.locate(key)} is missing`);
  return bytes;
}

function count(bars: ReadonlyMap<string, readonly object[]>): number {
  return [...bars.values()].reduce((sum, rows) => sum + rows.length, 0);
}

function check(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(`${otherwise} (seed ${seed})`);
}
