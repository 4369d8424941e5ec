/** The sessions before its date that a run catches up with: their summaries, and what they mean for the run. */
import { describe, expect, it } from "vitest";
import type { SymbolReport } from "../../domain/batch.ts";
import type { RunSummary, RunSummaryEvent } from "../../domain/run-summary.ts";
import { ofNamedSymbols, RUN_DATE, runEvent, storeBatch, storeRecord, summarise } from "../support/fetched-run.ts";
import { fetchedReport, storedSummary, storeSummary } from "../support/stored-summary.ts";
import { createTestRuntime, type TestRuntime } from "../support/test-runtime.ts";

const BEFORE = "2024-05-30";
const KEY = `runs/${BEFORE}.json`;
const NAMES = ["BHP", "CBA"];
const CBA_FAILED: SymbolReport = { symbol: "CBA", outcome: "failed", reason: "HTTP 503 after 5 attempts" };

/** The summary of a run that catches up, of which today is whole. */
async function caughtUp(runtime: TestRuntime, values: Partial<RunSummaryEvent> = {}) {
  return summarise(await catchUpEvent(runtime, values), runtime);
}

async function catchUpEvent(runtime: TestRuntime, values: Partial<RunSummaryEvent> = {}): Promise<RunSummaryEvent> {
  const sessions = [BEFORE, RUN_DATE];
  return runEvent([NAMES], [await storeBatch(runtime, 0, NAMES)], { sessions, catchUp: true, ...values });
}

/** A store with yesterday's own run, of which one symbol failed. */
async function partialYesterday(): Promise<TestRuntime> {
  const runtime = createTestRuntime();
  const result = await storeBatch(runtime, 0, ["BHP"], [CBA_FAILED], BEFORE);
  const startedAt = `${BEFORE}T09:30:00.000Z`;
  const event = runEvent([NAMES], [result], { date: BEFORE, sessions: [BEFORE], startedAt });
  const metadata = { ...event.metadata, s3Key: `symbols/${BEFORE}-symbols.csv`, warnings: [] };
  await summarise({ ...event, metadata }, runtime);
  runtime.store.calls.length = 0;
  runtime.measured.clear();
  return runtime;
}

function listedAs(source: RunSummary["symbols"]["source"]): Pick<RunSummary, "symbols"> {
  const changes = { comparedTo: null, added: [], removed: [] };
  return { symbols: { s3Key: null, source, changes, warnings: [], total: 1 } };
}

describe("the summary of an earlier session", () => {
  it("is written again where something changed", async () => {
    const runtime = await partialYesterday();
    await storeBatch(runtime, 0, NAMES, [], BEFORE);
    await storeRecord(runtime, 1, { date: BEFORE });
    const digest = await caughtUp(runtime);
    expect(await storedSummary(runtime.store, BEFORE)).toMatchObject({
      ...{ date: BEFORE, status: "complete", rows: 2, revised: 1, unread: 0 },
      symbols: { total: 2, s3Key: `symbols/${BEFORE}-symbols.csv`, warnings: [] },
    });
    expect(digest).toMatchObject({ status: "complete", earlier: [{ date: BEFORE, status: "complete" }] });
    expect(runtime.measured.get("barsRevised")).toBe(1);
  });

  it("stays, byte for byte, where nothing changed", async () => {
    const runtime = await partialYesterday();
    const before = runtime.store.objects.get(KEY);
    await runtime.clock.sleep(3_600_000);
    await caughtUp(runtime);
    expect(runtime.store.objects.get(KEY)).toEqual(before);
    expect(runtime.store.calls).not.toContain(`replace ${KEY}`);
  });

  it("keeps its own list where it has one: a batch that is lost today says nothing of it", async () => {
    const runtime = await partialYesterday();
    const lostToday = { batchNumber: 0, error: { Error: "States.Timeout", Cause: "" } };
    await summarise(runEvent([["BHP", "CBA", "NEW"]], [lostToday], { sessions: [BEFORE, RUN_DATE] }), runtime);
    const { outcomes, symbols } = await storedSummary(runtime.store, BEFORE);
    expect(outcomes).toEqual([fetchedReport("BHP"), CBA_FAILED]);
    expect(symbols.total).toBe(2);
  });

  it.each<[string, Partial<RunSummary> | undefined]>([
    ["was never run", undefined],
    ["was run for symbols named by hand", listedAs("event")],
    ["was taken for closed", { ...listedAs("none"), status: "market-closed", rows: 0 }],
  ])("has the run's list where the session %s: none of its symbols is without an outcome", async (_, values) => {
    const runtime = createTestRuntime();
    await storeBatch(runtime, 0, ["BHP"], [], BEFORE);
    const outcomes = values?.status === "market-closed" ? [] : [fetchedReport("BHP")];
    if (values !== undefined) await storeSummary(runtime.store, BEFORE, outcomes, values);
    await caughtUp(runtime);
    expect(await storedSummary(runtime.store, BEFORE)).toMatchObject({
      status: "partial",
      symbols: { source: "asx-directory", s3Key: `symbols/${RUN_DATE}-symbols.csv`, total: 2 },
      outcomes: [fetchedReport("BHP"), { symbol: "CBA", outcome: "failed", reason: "its batch reported no outcome" }],
    });
  });

  it("of one that was never run is not written by a run of named symbols without a bar of it", async () => {
    const runtime = createTestRuntime();
    await storeBatch(runtime, 0, [], [{ symbol: "BHP", outcome: "noTrade" }], BEFORE);
    const digest = await summarise(ofNamedSymbols(await catchUpEvent(runtime)), runtime);
    expect(digest).toMatchObject({ status: "complete", earlier: [] });
    expect(runtime.store.objects.has(KEY)).toBe(false);
  });

  it("of one that was never run is written by a run of named symbols with a bar of it, as of those alone", async () => {
    const runtime = createTestRuntime();
    await storeBatch(runtime, 0, NAMES, [], BEFORE);
    const digest = await summarise(ofNamedSymbols(await catchUpEvent(runtime)), runtime);
    expect(digest.earlier).toEqual([{ date: BEFORE, status: "complete" }]);
    expect((await storedSummary(runtime.store, BEFORE)).symbols).toMatchObject({ source: "event", total: 2 });
  });
});

describe("the status of a run that catches up", () => {
  it("is not that of a session that was partial before and still is, which the message names all the same", async () => {
    const runtime = await partialYesterday();
    const digest = await caughtUp(runtime);
    expect(digest).toMatchObject({ status: "complete", earlier: [{ date: BEFORE, status: "partial" }] });
    expect(digest.message).toContain(`Before it: ${BEFORE} is partial.`);
    expect(runtime.measured.get("runComplete")).toBe(1);
    expect(runtime.measured.has("runPartial")).toBe(false);
  });

  it("is not that of a session that got better, though it is not whole yet", async () => {
    const runtime = await partialYesterday();
    await storeSummary(runtime.store, BEFORE, [{ ...CBA_FAILED, symbol: "BHP" }, CBA_FAILED], { status: "failed" });
    expect(await caughtUp(runtime)).toMatchObject({
      status: "complete",
      earlier: [{ date: BEFORE, status: "partial" }],
    });
  });

  it("is that of a session that got worse than it was; its own summary stays as good as its own day", async () => {
    const runtime = await partialYesterday();
    await storeSummary(runtime.store, BEFORE, NAMES.map(fetchedReport));
    expect(await caughtUp(runtime)).toMatchObject({
      status: "partial",
      earlier: [{ date: BEFORE, status: "partial" }],
    });
    expect(runtime.measured.get("runPartial")).toBe(1);
    expect(runtime.measured.has("runComplete")).toBe(false);
    expect((await storedSummary(runtime.store, RUN_DATE)).status).toBe("complete");
  });

  it("is that of a session that no run had looked at before", async () => {
    const runtime = createTestRuntime();
    await storeBatch(runtime, 0, ["BHP"], [CBA_FAILED], BEFORE);
    expect(await caughtUp(runtime)).toMatchObject({ status: "partial" });
  });

  it("stays that of a session that this same run found so, in its later rounds and where it is tried again", async () => {
    const runtime = createTestRuntime();
    await storeBatch(runtime, 0, ["BHP"], [CBA_FAILED], BEFORE);
    const event = await catchUpEvent(runtime);
    for (let tries = 0; tries < 2; tries += 1) {
      runtime.measured.clear();
      expect(await summarise(event, runtime)).toMatchObject({ status: "partial" });
      expect(runtime.measured.get("runPartial")).toBe(1);
    }
    // The next run of the date has nothing new to tell.
    expect(await summarise({ ...event, startedAt: "2024-05-31T20:30:00.000Z" }, runtime)).toMatchObject({
      status: "complete",
    });
  });

  it("is the date's own where that is the worst", async () => {
    const runtime = await partialYesterday();
    const today = await storeBatch(
      runtime,
      0,
      [],
      NAMES.map((symbol) => ({ ...CBA_FAILED, symbol })),
    );
    const event = runEvent([NAMES], [today], { sessions: [BEFORE, RUN_DATE], catchUp: true });
    expect(await summarise(event, runtime)).toMatchObject({ status: "failed" });
  });
});

describe("an earlier session of which a file is damaged", () => {
  it.each([
    ["batch file", `raw-data/${BEFORE}-batch-0.parquet`],
    ["summary", KEY],
    ["record of changes", `revisions/${BEFORE}-batch-0.json`],
  ])("keeps no other from its summary: where it is the %s the run has failed, and says why", async (_, key) => {
    const runtime = await partialYesterday();
    const damaged = new TextEncoder().encode("{");
    await runtime.store.put(key, damaged);
    const summary = runtime.store.objects.get(KEY);
    const sessions = ["2024-05-29", BEFORE, RUN_DATE];
    await storeBatch(runtime, 0, NAMES, [], "2024-05-29");
    const digest = await caughtUp(runtime, { sessions });
    expect(digest.status).toBe("failed");
    expect(digest.earlier).toHaveLength(2);
    expect(digest.earlier).toEqual(
      expect.arrayContaining([
        { date: "2024-05-29", status: "complete" },
        { date: BEFORE, status: "failed" },
      ]),
    );
    expect(digest.message).toContain(`${BEFORE} is failed`);
    expect(runtime.measured.get("runFailed")).toBe(1);
    for (const date of ["2024-05-29", RUN_DATE]) {
      expect(await storedSummary(runtime.store, date)).toMatchObject({ status: "complete", rows: 2 });
    }
    expect(runtime.store.objects.get(key)).toEqual(damaged);
    expect(runtime.store.objects.get(KEY)).toEqual(summary);
    expect(runtime.logs).toContainEqual(expect.stringMatching(`^error ${BEFORE} is not summarised: ${key} is damaged`));
  });
});
