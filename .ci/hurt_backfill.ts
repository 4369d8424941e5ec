/**
 * Hurts one real backfill with real processes: kills `asx backfill` at chance moments until it is whole, against a sandbox
 * that is late and refuses what is above its limit, while the list gains and loses symbols half-way. The lake is that of an
 * undisturbed backfill of all that was answered, a kill loses no more than what is under way, and hardly a symbol is asked
 * for twice. About two minutes.
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
import { backfillKey, historyFilesPrefix, parsePendingKey, pendingFolder, symbolsKey } from "../domain/object-keys.ts";
import type { ObjectStore } from "../domain/object-store.ts";
import { parseBackfillRecord } from "../domain/parse-backfill-record.ts";
import { compareSymbols } from "../domain/symbol.ts";
import { addDays } from "../domain/trading-date.ts";
import { REQUESTS_AT_ONCE } from "../lambdas/batch-fetcher/upstream-gate.ts";
import { parseDirectory } from "../lambdas/symbol-updater/asx-directory.ts";
import { newerDirectoryFile, olderDirectoryFile } from "../sandbox/directory-file.ts";
import { uniform } from "../sandbox/random.ts";
import { rateLimited } from "../sandbox/rate-limit.ts";
import { type Delivery, startSandbox } from "../sandbox/server.ts";
import { createSyntheticMarket } from "../sandbox/synthetic-market.ts";
import { readHistoryFacts } from "../stores/history-file-reader.ts";
import { createLocalStore } from "../stores/local-store.ts";
import { storedListDates } from "../stores/symbols-csv.ts";

const SPAN = { from: "2022-06-01", to: "2024-05-31" };
const LATENCY_MS = 60;
const RATE = 36;
const LANES = 3;
/** Less than what is asked: some of it is refused. */
const LIMIT = { perSecond: 20, burst: 8, retryAfter: true };
/** A kill of so many comes while the process starts and plans; the others while it fetches. */
const EARLY_KILL = 6;
/** A kill may lose what is under way, and of each place the answer that is being written: its next request is under way by then. */
const MOST_LOST_AT_A_KILL = LANES * REQUESTS_AT_ONCE * 2;
const LARGEST_EXCESS = 0.05;
const CLI = fileURLToPath(new URL("../cli/main.ts", import.meta.url));
const [kills = 30, symbolCount = 500, seed = 1] = process.argv.slice(2).map(Number);

const row = z.looseObject({ symbol: z.string(), date: z.date() });

const whole = createSyntheticMarket({ seed: 1, now: Date.now });
/** Half-way so many symbols are new; so many leave that stand in a file, so many that are pending, so many not yet asked for. */
const changing = Math.max(1, Math.floor(symbolCount / 100));
const all = parseDirectory(whole.directory().current).listings.slice(0, symbolCount + changing);
const before = all.slice(0, symbolCount);
let listed = all;
let isThrottled = false;
/** Charts that were asked for, in order, and whether they were refused with 429. */
let asked: { readonly symbol: string; readonly refused: boolean }[] = [];

const folder = await mkdtemp(join(tmpdir(), "asx-eod-hurt-"));
const late: Delivery = async (answer, { ticker }) => {
  if (ticker !== undefined) asked.push({ symbol: ticker.replace(/\.AX$/, ""), refused: answer.status === 429 });
  await sleep(LATENCY_MS);
  return answer;
};
const limited = rateLimited(LIMIT, Date.now, late);
const sandbox = await startSandbox({
  market: {
    directory: () => ({
      current: newerDirectoryFile(listed),
      older: olderDirectoryFile(listed, Date.now()),
    }),
    history: (symbol, from, to) => whole.history(symbol, from, to),
  },
  now: Date.now,
  delivery: (answer, request) => (isThrottled ? limited : late)(answer, request),
});

try {
  const undisturbed = createLocalStore(join(folder, "undisturbed"));
  const startedAt = performance.now();
  const first = await start("undisturbed").ended;
  check(first.code === 0, `an undisturbed backfill ended with ${first.code}: ${first.stderr.slice(-600)}`);
  const expected = await lakeOf(undisturbed);
  const { requests, retries } = expected.upstream;
  process.stdout.write(
    `undisturbed: ${all.length} symbols, ${asked.length} requests (${retries} again after a time-out), ${count(expected.bars)} bars in ${((performance.now() - startedAt) / 1000).toFixed(1)} s\n`,
  );
  check(asked.length <= requests, `${asked.length} requests came, and only ${requests} were counted`);
  check(requests - retries === all.length, `${requests - retries} first requests were made for ${all.length} symbols`);

  asked = [];
  listed = before;
  isThrottled = true;
  const store = createLocalStore(join(folder, "hurt"));
  /** Symbols that left before they were answered; undefined until the list has changed. */
  let neverAnswered: ReadonlySet<string> | undefined;
  let lost = 0;
  let mostLost = 0;
  let killed = 0;
  let end: Ended | undefined;
  for (let life = 0; life < kills; life += 1) {
    const askedBefore = asked.length;
    const victim = start("hurt");
    const chance = uniform(seed, life, 0);
    if (life % EARLY_KILL === 0) await Promise.race([sleep(chance * 1_500), victim.ended]);
    else {
      const enough = askedBefore + 1 + Math.floor((chance * 2 * symbolCount) / kills);
      while (asked.length < enough && !victim.hasEnded()) await sleep(2);
      await Promise.race([sleep(uniform(seed, life, 1) * 2 * LATENCY_MS), victim.ended]);
    }
    if (victim.hasEnded()) {
      end = await victim.ended;
      break;
    }
    victim.process.kill("SIGKILL");
    await victim.ended;
    killed += 1;
    // What the killed process has sent is asked for, although nobody waits for the answer.
    await sleep(LATENCY_MS);
    const { inFile, pending } = await keptSymbols(store);
    const isLost = ({ symbol, refused }: (typeof asked)[number]) =>
      !refused && !inFile.has(symbol) && !pending.has(symbol);
    const lostNow = asked.slice(askedBefore).filter(isLost).length;
    check(lostNow <= MOST_LOST_AT_A_KILL, `kill ${killed} lost the answers of ${lostNow} symbols`);
    lost += lostNow;
    mostLost = Math.max(mostLost, lostNow);
    if (neverAnswered === undefined && killed >= kills / 2 && Math.min(inFile.size, pending.size) >= changing) {
      const unanswered = before
        .map(({ symbol }) => symbol)
        .filter((symbol) => !inFile.has(symbol) && !pending.has(symbol));
      neverAnswered = new Set(unanswered.slice(-changing));
      const leaving = new Set([...[...inFile].slice(-changing), ...[...pending].slice(-changing), ...neverAnswered]);
      listed = all.filter(({ symbol }) => !leaving.has(symbol));
      await makeListsADayOlder(store);
    }
  }
  end ??= await start("hurt").ended;
  check(end.code === 0, `the last backfill ended with ${end.code}: ${end.stderr.slice(-600)}`);
  check(neverAnswered?.size === changing, "the list did not change half-way; give it more symbols or more kills");

  const lake = await lakeOf(store);
  for (const { symbol } of all) {
    const [there, wanted] = [lake, neverAnswered?.has(symbol) ? undefined : expected].map((from) => ({
      outcome: from?.outcomes.get(symbol),
      bars: from?.bars.get(symbol),
    }));
    check(
      isDeepStrictEqual(there, wanted),
      `${symbol} is ${shown(there)} in the lake, and ${shown(wanted)} in that of the undisturbed backfill`,
    );
  }
  const leftPending = await store.list(pendingFolder(SPAN));
  check(leftPending.length === 0, `${leftPending.length} pending objects are left, such as ${leftPending[0]?.key}`);
  const served = asked.filter(({ refused }) => !refused);
  const fewest = new Set(served.map(({ symbol }) => symbol)).size;
  const excess = served.length - lost - fewest;
  process.stdout.write(
    `killed ${killed} times: ${fewest} symbols, ${served.length} requests answered (${lost} of them lost at a kill, ${mostLost} at the most; ${excess} more than the fewest possible), ${asked.length - served.length} refused with 429\n`,
  );
  check(excess <= fewest * LARGEST_EXCESS, `${excess} requests were made twice`);

  asked = [];
  const idle = await start("hurt").ended;
  check(
    idle.code === 0 && asked.length === 0,
    `a whole backfill that is run again ends with ${idle.code} and asks ${asked.length} times`,
  );
  process.stdout.write(
    `ok: ${count(lake.bars)} bars of ${lake.bars.size} symbols are those of the undisturbed backfill; run again it asks for nothing\n`,
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
  const sizes = ["--rate", String(RATE), "--batch-size", "20", "--max-concurrency", String(LANES)];
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

/** Which symbols are kept by a file, and which others by an object of their own. */
async function keptSymbols(store: ObjectStore) {
  const files = await store.list(historyFilesPrefix(SPAN));
  const facts = await Promise.all(files.map(async ({ key }) => readHistoryFacts(key, await bytesOf(store, key))));
  const inFile = new Set(facts.flatMap(({ reports }) => reports.map(({ symbol }) => symbol)));
  const pending = (await store.list(pendingFolder(SPAN))).flatMap(({ key }) => parsePendingKey(key)?.symbol ?? []);
  return { inFile, pending: new Set(pending.filter((symbol) => !inFile.has(symbol))) };
}

/** As if a day had passed: a list of the same day would keep the symbols that leave the directory. */
async function makeListsADayOlder(store: ObjectStore): Promise<void> {
  for (const date of await storedListDates(store)) {
    await store.put(symbolsKey(addDays(date, -1)), await bytesOf(store, symbolsKey(date)));
    await store.remove(symbolsKey(date));
  }
}

/** What the record says, and the bars of every symbol by date in the files that it names, but for when and in which batch they came. */
async function lakeOf(store: ObjectStore) {
  const key = backfillKey(SPAN);
  const record = parseBackfillRecord(key, await bytesOf(store, key));
  const rows: z.infer<typeof row>[] = [];
  for (const batch of record.batches) {
    const file = new Uint8Array(await bytesOf(store, batch.key)).buffer;
    rows.push(...z.array(row).parse(await parquetReadObjects({ file })));
  }
  const plain = rows.map(({ fetch_timestamp: _, batch_number: __, ...bar }) => bar);
  plain.sort((left, right) => compareSymbols(left.symbol, right.symbol) || left.date.getTime() - right.date.getTime());
  return {
    upstream: record.upstream,
    outcomes: new Map(record.outcomes.map(({ batchNumber: _, ...report }) => [report.symbol, report])),
    bars: Map.groupBy(plain, ({ symbol }) => symbol),
  };
}

async function bytesOf(store: ObjectStore, key: string): Promise<Uint8Array> {
  const bytes = await store.get(key);
  if (bytes === undefined) throw new Error(`${store.locate(key)} is missing`);
  return bytes;
}

function count(bars: ReadonlyMap<string, readonly object[]>): number {
  return [...bars.values()].reduce((sum, rows) => sum + rows.length, 0);
}

function shown(
  of: { readonly outcome?: object | undefined; readonly bars?: readonly object[] | undefined } | undefined,
): string {
  return of?.outcome === undefined ? "not there" : `${JSON.stringify(of.outcome)} with ${of.bars?.length ?? 0} bars`;
}

function check(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(`${otherwise} (seed ${seed})`);
}
