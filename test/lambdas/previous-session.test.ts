import { describe, expect, it } from "vitest";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import { previousSession } from "../../lambdas/runtime/earlier-sessions.ts";
import { fetchedReport, storeSummary } from "../support/stored-summary.ts";
import { createTestRuntime, type TestRuntime } from "../support/test-runtime.ts";

const DAY = "2024-05-31";

async function found(runtime: TestRuntime): Promise<string | undefined> {
  return (await previousSession(DAY, createTradingCalendar(), runtime))?.date;
}

describe("the session before a date", () => {
  it.each([
    ["the one before it", "2024-05-30"],
    ["the fifth before it, over a weekend", "2024-05-24"],
  ])("is %s where that is the newest with a bar", async (_, date) => {
    const runtime = createTestRuntime();
    await storeSummary(runtime.store, "2024-05-23", [fetchedReport("BHP")]);
    await storeSummary(runtime.store, date, [fetchedReport("BHP")]);
    expect(await found(runtime)).toBe(date);
  });

  it("is none where the newest is older than five sessions", async () => {
    const runtime = createTestRuntime();
    await storeSummary(runtime.store, "2024-05-23", [fetchedReport("BHP")]);
    expect(await found(runtime)).toBeUndefined();
  });

  it("is none without a bar, and none that is damaged, which is warned of", async () => {
    const runtime = createTestRuntime();
    await storeSummary(runtime.store, "2024-05-28", [fetchedReport("BHP")]);
    await storeSummary(runtime.store, "2024-05-29", [{ symbol: "BHP", outcome: "noTrade" }]);
    await runtime.store.put("runs/2024-05-30.json", new TextEncoder().encode("{"));
    expect(await found(runtime)).toBe("2024-05-28");
    expect(runtime.logs).toEqual([expect.stringMatching(/^warn runs\/2024-05-30\.json is damaged/)]);
  });
});
