/**
 * Fills a store with some months of made-up bars, in seconds and offline, so that there is something to look at. It works
 * in a clone of asx-eod only: the made-up market is no part of the package.
 *
 *   node examples/sample-store.ts [STORE] [DAYS] [LAST_DATE]
 *
 * Unless given: file:./sandbox-data, 60 trading days, the last finished one. Days that are stored are left alone. One day
 * is left out and one is partial, as it happens, so that the coverage has something to tell.
 */
import { PassThrough, Readable } from "node:stream";
import * as z from "zod";
import { EXIT_CODES } from "../cli/exit-codes.ts";
import { runProgram } from "../cli/program.ts";
import { DEFAULT_SEED } from "../cli/upstream.ts";
import { runKey } from "../domain/object-keys.ts";
import { parseInput } from "../domain/parse.ts";
import { createTradingCalendar } from "../domain/trading-calendar.ts";
import { addDays, tradingDate } from "../domain/trading-date.ts";
import { type Clock, systemClock } from "../lambdas/runtime/clock.ts";
import { scripted } from "../sandbox/faults.ts";
import { delayed, startSandbox } from "../sandbox/server.ts";
import { createSyntheticListings } from "../sandbox/synthetic-listings.ts";
import { createSyntheticMarket } from "../sandbox/synthetic-market.ts";
import { openStore } from "../stores/open-store.ts";

/** Symbols that every reader knows; their prices are made up like all others. */
const LARGE = ["BHP", "CBA", "CSL", "MQG", "NAB", "RIO", "TLS", "WBC", "WES", "WOW"];
/** Of the other companies one in so many: some of them trade rarely. */
const ONE_IN = 130;
/** Sessions between the day that is left out, the partial day and the last one. */
const LEFT_OUT_BEFORE = 22;
const PARTIAL_BEFORE = 9;
/** The symbol that fails on the partial day. */
const FAILING = "TLS";
/** Nobody needs to wait for an upstream that fails on purpose. */
const HURRY = 20;

const calendar = createTradingCalendar();
const { now } = systemClock;
const [store, days, lastDate] = parseInput(
  z.tuple([z.string(), z.coerce.number().int().min(1).max(2000), tradingDate]),
  [
    process.argv[2] ?? "file:./sandbox-data",
    process.argv[3] ?? 60,
    process.argv[4] ?? calendar.lastFinishedTradingDay(now()),
  ],
  "STORE, DAYS, LAST_DATE",
);

// A year has some 253 trading days; the rest is room for holidays.
const dates = calendar.tradingDays(addDays(lastDate, -Math.ceil(days * 1.5) - 10), lastDate).slice(-days);
const leftOut = dates.at(-1 - LEFT_OUT_BEFORE);
const partial = dates.at(-1 - PARTIAL_BEFORE);
const symbols = sampleSymbols();
const objects = await openStore(store);
let running = "";
const sandbox = await startSandbox({
  market: createSyntheticMarket({ seed: DEFAULT_SEED, now }),
  now,
  delivery: scripted(
    ({ ticker }) => (running === partial && ticker === `${FAILING}.AX` ? "server-error" : undefined),
    DEFAULT_SEED,
    delayed(0),
  ),
});
try {
  let stored = 0;
  for (const date of dates) {
    if (date === leftOut || (await objects.get(runKey(date))) !== undefined) continue;
    running = date;
    await runDay(date);
    stored += 1;
  }
  const purpose = [
    leftOut === undefined ? [] : [`${leftOut} is left out`],
    partial === undefined ? [] : [`${partial} lacks ${FAILING}`],
  ];
  process.stdout.write(
    [`${store}: stored ${stored} of ${dates.length} days up to ${lastDate}`, ...purpose.flat()].join("; ").concat("\n"),
  );
} finally {
  await sandbox.close();
}

function sampleSymbols(): string[] {
  const others = createSyntheticListings(DEFAULT_SEED)
    .filter(({ isQuoted, listedFrom, delistedFrom }) => isQuoted && listedFrom <= lastDate && delistedFrom === null)
    .filter((_, index) => index % ONE_IN === 0);
  return [...new Set([...LARGE, ...others.map(({ symbol }) => symbol)])];
}

/** Runs the daily workflow as `asx run` does. @throws Error with what it printed where it stored no day. */
async function runDay(date: string): Promise<void> {
  const printed = new PassThrough();
  let exitCode: number = EXIT_CODES.done;
  await runProgram(
    {
      stdin: Readable.from([]),
      stdout: printed,
      stderr: printed,
      interactive: false,
      width: undefined,
      environment: {},
      clock: date === partial ? hurried(systemClock) : systemClock,
      retryDelayMs: 0,
      longestRedriveWaitMs: 0,
      interrupted: () => new Promise(() => undefined),
      process: { host: "sample", pid: process.pid, isAlive: () => true },
      exit: (code) => {
        exitCode = code;
      },
      quit: (code) => process.exit(code),
    },
    [
      ...["run", "--date", date, "--symbols", symbols.join(","), "--store", store],
      ...["--source", sandbox.url, "--rate", "unlimited"],
    ],
  );
  if (exitCode === EXIT_CODES.done || exitCode === EXIT_CODES.partial) return;
  throw new Error(`the run of ${date} failed: ${printed.read()}`);
}

/** A clock whose time passes faster than the host's. */
function hurried(clock: Clock): Clock {
  const start = clock.now();
  return {
    now: () => start + (clock.now() - start) * HURRY,
    sleep: (ms) => clock.sleep(ms / HURRY),
    after: (ms, action) => clock.after(ms / HURRY, action),
  };
}
