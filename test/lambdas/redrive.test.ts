/** The rounds of a run: what is fetched again, when not, and what is kept from round to round. */
import { describe, expect, it } from "vitest";
import {
  addUpstream,
  type BatchResult,
  type LostBatch,
  NOTHING_ASKED,
  type SymbolReport,
  type WorkflowRun,
} from "../../domain/batch.ts";
import { RunUnderWayError, StoreUnavailableError } from "../../domain/errors.ts";
import { runLockKey } from "../../domain/object-keys.ts";
import { releaseRunLock, renewRunLock, takeRunLock, takeRunLocks } from "../../lambdas/runtime/run-lock.ts";
import { lost, RUN_DATE, runEvent, storeBatch, storeRecord, summarise } from "../support/fetched-run.ts";
import { storedSummary, storeSummary } from "../support/stored-summary.ts";
import { createTestRuntime, type TestRuntime } from "../support/test-runtime.ts";

const BEFORE = "2024-05-30";
const LOCK_MS = 1_800_000;
const FIRST: WorkflowRun = { id: "run", attempt: 1, upstream: NOTHING_ASKED };
const BREAKER = { by: "breaker", reason: "8 bad answers in a row" } as const;
const ASKED = { requests: 100, retries: 20, rateLimited: 3, breakerOpenings: 1, waitedMs: 5_000 };

function failed(symbol: string): SymbolReport {
  return { symbol, outcome: "failed", reason: "HTTP 503 after 5 attempts" };
}

/** A runtime whose store has the run's locks on the date and the session before. */
async function setUp(): Promise<TestRuntime> {
  const runtime = createTestRuntime();
  const { store, clock } = runtime;
  await takeRunLocks(store, [BEFORE, RUN_DATE], { run: "run" }, { clock, expiresAfterMs: LOCK_MS });
  return runtime;
}

/** A batch with a bar and, where it is so, an unfinished symbol. */
function batch(runtime: TestRuntime, number: number, isWhole: boolean): Promise<BatchResult> {
  const last: SymbolReport = isWhole ? { symbol: `L0${number}`, outcome: "noTrade" } : failed(`L0${number}`);
  return storeBatch(runtime, number, [`F0${number}`], [last]);
}

function symbolsOf(number: number): string[] {
  return [`F0${number}`, `L0${number}`];
}

function lockExpiry({ store }: TestRuntime, date = RUN_DATE): number {
  const lock: unknown = JSON.parse(new TextDecoder().decode(store.objects.get(runLockKey(date))));
  return Date.parse((lock as { expiresAt: string }).expiresAt);
}

describe("a run with unfinished symbols", () => {
  it("fetches their batches again, dealt out to as many workers as before, after two minutes", async () => {
    const runtime = await setUp();
    const [zero, one, two, three] = await Promise.all(
      [0, 1, 2, 3].map((number) => batch(runtime, number, number === 0)),
    );
    if (!zero || !one || !two || !three) throw new Error("four batches were stored");
    const event = runEvent([0, 1, 2, 3].map(symbolsOf), [], {
      results: [
        [zero, two],
        [one, three],
      ],
      run: FIRST,
    });
    const { redrive, status, message } = await summarise(event, runtime);
    expect(status).toBe("partial");
    expect(redrive).toEqual({ run: { ...FIRST, attempt: 2 }, waitSeconds: 120, lanes: [[1, 3], [2]] });
    expect(message).toContain("What is unfinished is fetched again, in round 2.");
  });

  it("waits ten minutes before its third round, and has no fourth", async () => {
    const runtime = await setUp();
    const event = runEvent([symbolsOf(0)], [await batch(runtime, 0, false)]);
    const second = await summarise({ ...event, run: { ...FIRST, attempt: 2 } }, runtime);
    expect(second.redrive).toMatchObject({ run: { attempt: 3 }, waitSeconds: 600 });
    const third = await summarise({ ...event, run: { ...FIRST, attempt: 3 } }, runtime);
    expect(third).toMatchObject({ redrive: null, status: "partial" });
  });

  it("fetches a lost batch again whole", async () => {
    const runtime = await setUp();
    const results = [await batch(runtime, 0, true), lost(1, "Sandbox.Timedout")];
    const { redrive } = await summarise(runEvent([symbolsOf(0), symbolsOf(1)], results, { run: FIRST }), runtime);
    expect(redrive?.lanes).toEqual([[1]]);
  });

  it("fetches again what is unfinished in an earlier session of a catch-up too", async () => {
    const runtime = await setUp();
    const results = [await batch(runtime, 0, true), await batch(runtime, 1, true)];
    await storeBatch(runtime, 1, ["F01"], [failed("L01")], BEFORE);
    const sessions = [BEFORE, RUN_DATE];
    await storeSummary(runtime.store, BEFORE, [{ symbol: "F01", outcome: "fetched" }, failed("L01")]);
    const event = runEvent([symbolsOf(0), symbolsOf(1)], results, { run: FIRST, sessions });
    expect((await summarise(event, runtime)).redrive?.lanes).toEqual([[1]]);
  });

  it("leaves alone what other runs left unfinished: it knows no batch of theirs", async () => {
    const runtime = await setUp();
    await storeSummary(runtime.store, RUN_DATE, [failed("OLD")]);
    const event = runEvent([symbolsOf(0)], [await batch(runtime, 0, true)], { run: FIRST });
    expect(await summarise(event, runtime)).toMatchObject({ status: "partial", redrive: null });
  });

  it("that has no name, as no workflow leads it, has one round", async () => {
    const runtime = createTestRuntime();
    const event = runEvent([symbolsOf(0)], [await batch(runtime, 0, false)]);
    expect((await summarise(event, runtime)).redrive).toBeNull();
  });
});

describe("a whole run", () => {
  it("ends", async () => {
    const runtime = await setUp();
    const event = runEvent([symbolsOf(0)], [await batch(runtime, 0, true)], { run: FIRST });
    expect(await summarise(event, runtime)).toMatchObject({ status: "complete", redrive: null });
  });
});

describe("a run whose batches were turned away", () => {
  const unknown = { by: "unknown-symbols", reason: "the provider knew 3 of 7 symbols no more" } as const;

  /** The batch has asked. */
  const asked = (result: BatchResult): BatchResult => ({ ...result, upstream: ASKED });
  const blocked = (result: BatchResult): BatchResult => ({
    ...asked(result),
    stopped: { by: "block", reason: "blocked: HTTP 429" },
  });
  const lostOtherwise = ({ batchNumber }: BatchResult): LostBatch => lost(batchNumber ?? 0, "States.Timeout");
  const told = (result: BatchResult): BatchResult => ({ ...asked(result), stopped: unknown });

  /** A run of as many batches as there are ends, each unfinished; batches beyond those of which the run has no result. */
  async function ended(
    ends: readonly ((result: BatchResult) => BatchResult | LostBatch)[],
    { run = FIRST, others = 0 } = {},
  ) {
    const runtime = await setUp();
    const results: (BatchResult | LostBatch)[] = [];
    for (const [number, end] of ends.entries()) results.push(end(await batch(runtime, number, false)));
    const numbers = Array.from({ length: ends.length + others }, (_, number) => number);
    const digest = await summarise(runEvent(numbers.map(symbolsOf), results, { run }), runtime);
    return { digest, summary: await storedSummary(runtime.store, RUN_DATE) };
  }

  it.each([
    ["was blocked", [blocked, blocked], "blocked: HTTP 429"],
    ["that asked at all was blocked", [(result: BatchResult) => result, blocked], "blocked: HTTP 429"],
    ["of half of all met unknown symbols", [told, told, asked, asked], unknown.reason],
    ["met unknown symbols", [told], unknown.reason],
  ])("of which every one %s, is stopped early as failed, with the reason", async (_, ends, reason) => {
    const { digest, summary } = await ended(ends);
    expect(digest).toMatchObject({ status: "failed", redrive: null });
    expect(digest.message).toContain(reason);
    expect(summary.status).toBe("failed");
    expect(summary.quality?.findings).toEqual([
      {
        ...{ gate: "upstream", stops: true },
        detail: `The run was stopped early: ${reason}. Run the date again later.`,
      },
    ]);
  });

  it.each([
    ["was blocked in a second wave, after others had been answered", [asked, asked, blocked, blocked, blocked]],
    ["was blocked, and one lost for another reason", [blocked, blocked, lostOtherwise]],
    ["met unknown symbols in less than half", [told, asked, asked]],
    ["only failed one request after the other", [(result: BatchResult) => ({ ...asked(result), stopped: BREAKER })]],
  ])("goes on where it %s: that passes", async (_, ends) => {
    const { digest, summary } = await ended(ends);
    expect(digest).toMatchObject({ status: "partial", redrive: { waitSeconds: 120 } });
    expect(digest.redrive?.lanes.flat().sort()).toEqual([...ends.keys()]);
    expect(summary.quality?.findings).toEqual([]);
  });

  it("counts the batches that met unknown symbols against all of the run, also those without a result", async () => {
    expect((await ended([told, told], { others: 2 })).digest.redrive).toBeNull();
    expect((await ended([told, told], { others: 3 })).digest.redrive).toMatchObject({ waitSeconds: 120 });
  });

  it.each([
    ["blocked", [blocked, blocked]],
    ["told of unknown symbols", [told, told]],
  ])("is not stopped in a later round: what is left, all %s, says nothing of the market", async (_, ends) => {
    const second = await ended(ends, { run: { ...FIRST, attempt: 2 } });
    expect(second.digest).toMatchObject({ status: "partial", redrive: { waitSeconds: 600, run: { attempt: 3 } } });
    const third = await ended(ends, { run: { ...FIRST, attempt: 3 } });
    expect(third.digest).toMatchObject({ status: "partial", redrive: null });
    expect(third.summary.quality?.findings).toEqual([]);
  });

  it("stays complete where the day was whole before a blocked catch-up, with a finding that stops nothing", async () => {
    const runtime = await setUp();
    const results = [blocked(await batch(runtime, 0, true)), blocked(await batch(runtime, 1, true))];
    const unread = results.map((result) => ({ ...result, unread: 2 }));
    const event = runEvent([0, 1].map(symbolsOf), unread, { run: FIRST, catchUp: true });
    const digest = await summarise(event, runtime);
    // The day is whole, the run is not.
    expect(digest).toMatchObject({ status: "partial", redrive: null });
    expect(digest.message).toContain("Symbols that could not be read again: 4.");
    const { status, unread: counted, quality } = await storedSummary(runtime.store, RUN_DATE);
    expect({ status, counted, findings: quality?.findings }).toEqual({
      status: "complete",
      counted: 4,
      findings: [{ gate: "upstream", stops: false, detail: expect.stringContaining("could not be read again") }],
    });
  });
});

describe("a run that catches up and could not read all symbols again", () => {
  /** Whole batches, of which so many symbols could not be read again. */
  async function caughtUp(runtime: TestRuntime, unread: readonly number[], run = FIRST) {
    const results: BatchResult[] = [];
    for (const [number, count] of unread.entries()) {
      results.push({ ...(await batch(runtime, number, true)), upstream: ASKED, unread: count });
    }
    return runEvent([...unread.keys()].map(symbolsOf), results, { run, catchUp: true });
  }

  it("fetches those batches again and names them in the run, besides those with unfinished symbols", async () => {
    const runtime = await setUp();
    const event = await caughtUp(runtime, [0, 3, 0, 1]);
    const unfinished = [{ ...(await batch(runtime, 2, false)), upstream: ASKED }];
    const results = event.results.map((lane, number) => (number === 2 ? unfinished : lane));
    const { redrive, message } = await summarise({ ...event, results }, runtime);
    expect(redrive?.run).toMatchObject({ attempt: 2, unread: [1, 3] });
    expect(redrive?.lanes.flat().sort()).toEqual([1, 2, 3]);
    expect(message).toContain("Symbols that could not be read again: 4.");
    expect((await storedSummary(runtime.store, RUN_DATE)).unread).toBe(4);
  });

  it("names lost batches too: of those nothing was read", async () => {
    const runtime = await setUp();
    const event = await caughtUp(runtime, [0, 0]);
    const results = event.results.map((lane, number) => (number === 1 ? [lost(1, "States.Timeout")] : lane));
    const { redrive, status } = await summarise({ ...event, results }, runtime);
    expect(status).toBe("partial");
    expect(redrive).toMatchObject({ run: { unread: [1] }, lanes: [[1]] });
    expect((await storedSummary(runtime.store, RUN_DATE)).unread).toBe(2);
  });

  it("names in each round those of the round before, and tells of the last one only", async () => {
    const runtime = await setUp();
    const { redrive } = await summarise(await caughtUp(runtime, [2, 1]), runtime);
    expect(redrive?.run.unread).toEqual([0, 1]);
    const second = await summarise(await caughtUp(runtime, [0, 1], redrive?.run), runtime);
    expect(second.redrive).toMatchObject({ run: { attempt: 3, unread: [1] }, lanes: [[1]] });
    expect((await storedSummary(runtime.store, RUN_DATE)).unread).toBe(1);
  });

  it("names none any more where they have been read, though others are unfinished", async () => {
    const runtime = await setUp();
    const event = await caughtUp(runtime, [0, 0], { ...FIRST, attempt: 2, unread: [0] });
    const results = [event.results[0] ?? [], [await batch(runtime, 1, false)]];
    const { redrive, message } = await summarise({ ...event, results }, runtime);
    expect(redrive).toMatchObject({ lanes: [[1]] });
    expect(redrive?.run).not.toHaveProperty("unread");
    expect(message).not.toContain("could not be read again");
    expect((await storedSummary(runtime.store, RUN_DATE)).unread).toBe(0);
  });

  it("ends partial after its third round, whatever its day was before, and says how many were left", async () => {
    const runtime = await setUp();
    const digest = await summarise(await caughtUp(runtime, [0, 5], { ...FIRST, attempt: 3 }), runtime);
    expect(digest).toMatchObject({ status: "partial", redrive: null });
    expect(digest.message).toContain("Symbols that could not be read again: 5.");
  });

  it("is the only one: a lost batch of any other run is fetched again for what is unfinished", async () => {
    const runtime = await setUp();
    const results = [await batch(runtime, 0, true), lost(1, "States.Timeout")];
    const { redrive } = await summarise(runEvent([symbolsOf(0), symbolsOf(1)], results, { run: FIRST }), runtime);
    expect(redrive).toMatchObject({ lanes: [[1]] });
    expect(redrive?.run).not.toHaveProperty("unread");
    expect((await storedSummary(runtime.store, RUN_DATE)).unread).toBe(0);
  });
});

describe("what is kept from round to round", () => {
  it("are the counters of the upstream: the summary and the next round have the sum of all", async () => {
    const runtime = await setUp();
    const results = [
      { ...(await batch(runtime, 0, true)), upstream: ASKED },
      { ...(await batch(runtime, 1, false)), upstream: ASKED },
    ];
    const symbols = [symbolsOf(0), symbolsOf(1)];
    const { redrive } = await summarise(runEvent(symbols, results, { run: FIRST }), runtime);
    const afterOne = addUpstream(ASKED, ASKED);
    expect(redrive?.run).toEqual({ id: "run", attempt: 2, upstream: afterOne });
    expect(await storedSummary(runtime.store, RUN_DATE)).toMatchObject({ attempts: 1, upstream: afterOne });

    const again = [{ ...(await batch(runtime, 1, true)), upstream: ASKED }];
    await summarise(runEvent(symbols, again, redrive === null ? {} : { run: redrive.run }), runtime);
    expect(await storedSummary(runtime.store, RUN_DATE)).toMatchObject({
      ...{ status: "complete", attempts: 2 },
      upstream: { requests: 300, retries: 60, rateLimited: 9, breakerOpenings: 3, waitedMs: 15_000 },
    });
  });

  it("is how long each batch took when it was fetched last", async () => {
    const runtime = await setUp();
    const symbols = [symbolsOf(0), symbolsOf(1)];
    const results = [await batch(runtime, 0, true), { ...(await batch(runtime, 1, false)), durationMs: 900 }];
    await summarise(runEvent(symbols, results, { run: FIRST }), runtime);
    const again = [{ ...(await batch(runtime, 1, true)), durationMs: 300 }];
    await summarise(runEvent(symbols, again, { run: { ...FIRST, attempt: 2 } }), runtime);
    const durations = async () =>
      (await storedSummary(runtime.store, RUN_DATE)).batches.map((entry) => entry.durationMs);
    expect(await durations()).toEqual([1200, 300]);

    const { store, clock } = runtime;
    await takeRunLock(store, RUN_DATE, { run: "next" }, { clock, expiresAfterMs: LOCK_MS });
    await summarise(runEvent(symbols, again, { run: { ...FIRST, id: "next" } }), runtime);
    expect(await durations()).toEqual([null, 300]);
  });

  it("is the date's lock: renewed before the wait, and free for the next run at the end", async () => {
    const runtime = await setUp();
    const { store, clock } = runtime;
    const options = { clock, expiresAfterMs: LOCK_MS };
    await clock.sleep(LOCK_MS / 2);
    await summarise(runEvent([symbolsOf(0)], [await batch(runtime, 0, false)], { run: FIRST }), runtime);
    expect(lockExpiry(runtime)).toBe(clock.now() + LOCK_MS);
    await expect(takeRunLock(store, RUN_DATE, { run: "other" }, options)).rejects.toThrow(RunUnderWayError);
    await expect(renewRunLock(store, RUN_DATE, "run", clock)).resolves.toBeUndefined();

    const ended = { ...FIRST, attempt: 2 };
    await summarise(runEvent([symbolsOf(0)], [await batch(runtime, 0, true)], { run: ended }), runtime);
    await expect(takeRunLock(store, RUN_DATE, { run: "other" }, options)).resolves.toBeUndefined();
  });

  it("are the locks of all of its sessions", async () => {
    const runtime = await setUp();
    const { store, clock } = runtime;
    const sessions = [BEFORE, RUN_DATE];
    await storeBatch(runtime, 0, symbolsOf(0), [], BEFORE);
    await clock.sleep(LOCK_MS / 2);
    await summarise(runEvent([symbolsOf(0)], [await batch(runtime, 0, false)], { run: FIRST, sessions }), runtime);
    for (const date of sessions) expect(lockExpiry(runtime, date)).toBe(clock.now() + LOCK_MS);

    const event = runEvent([symbolsOf(0)], [await batch(runtime, 0, true)], {
      run: { ...FIRST, attempt: 2 },
      sessions,
    });
    await summarise(event, runtime);
    const options = { clock, expiresAfterMs: LOCK_MS };
    await expect(takeRunLocks(store, sessions, { run: "other" }, options)).resolves.toBeUndefined();
  });

  it.each([BEFORE, RUN_DATE])("is nothing where another run has taken %s over: nothing is written", async (date) => {
    const runtime = await setUp();
    const { store, clock } = runtime;
    await storeBatch(runtime, 0, symbolsOf(0), [], BEFORE);
    const sessions = [BEFORE, RUN_DATE];
    const event = runEvent([symbolsOf(0)], [await batch(runtime, 0, true)], { run: FIRST, sessions });
    await clock.sleep(LOCK_MS);
    await takeRunLock(store, date, { run: "other" }, { clock, expiresAfterMs: LOCK_MS });
    const lock = store.objects.get(runLockKey(date));
    await expect(summarise(event, runtime)).rejects.toThrow(RunUnderWayError);
    expect(store.objects.get(runLockKey(date))).toEqual(lock);
    expect([...store.objects.keys()].filter((key) => key.startsWith("runs/") && key.endsWith(".json"))).toEqual([]);
    expect(runtime.measured.size).toBe(0);
  });

  it("are locks that a summary takes back where it is tried again, as its answer was lost on the way", async () => {
    const runtime = await setUp();
    const { store, clock } = runtime;
    const event = runEvent([symbolsOf(0)], [await batch(runtime, 0, false)], { run: { ...FIRST, attempt: 3 } });
    const digest = await summarise(event, runtime);
    expect(digest).toMatchObject({ status: "partial", redrive: null });
    expect(await summarise(event, runtime)).toEqual(digest);
    const options = { clock, expiresAfterMs: LOCK_MS };
    await takeRunLock(store, RUN_DATE, { run: "other" }, options);
    await releaseRunLock(store, RUN_DATE, "other", clock);
    await expect(summarise(event, runtime)).rejects.toThrow(RunUnderWayError);
  });

  it("is no reason to fail a run whose summary is written, where the lock cannot be released", async () => {
    const runtime = await setUp();
    const replace = runtime.store.replace.bind(runtime.store);
    runtime.store.replace = async (key, ...rest) => {
      if (key === runLockKey(RUN_DATE)) throw new StoreUnavailableError("the store is away");
      await replace(key, ...rest);
    };
    const event = runEvent([symbolsOf(0)], [await batch(runtime, 0, true)], { run: FIRST });
    expect(await summarise(event, runtime)).toMatchObject({ status: "complete" });
    expect(runtime.logs).toContain("warn the store is away");
  });

  it("are no metrics of the run: those are measured once, when it ends; changed bars in the round that found them", async () => {
    const runtime = await setUp();
    await storeRecord(runtime, 2);
    await summarise(runEvent([symbolsOf(0)], [await batch(runtime, 0, false)], { run: FIRST }), runtime);
    expect(Object.fromEntries(runtime.measured)).toEqual({ barsRevised: 2 });
    runtime.measured.clear();
    const event = runEvent([symbolsOf(0)], [await batch(runtime, 0, true)], { run: { ...FIRST, attempt: 2 } });
    await summarise(event, runtime);
    expect(Object.fromEntries(runtime.measured)).toMatchObject({ runComplete: 1, symbolsFetched: 1, barsRevised: 0 });
  });
});
