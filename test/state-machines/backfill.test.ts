import validate from "asl-validator";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { fillBackfillDefinition, readBackfillDefinition } from "../../state-machines/backfill.ts";
import { fillDailyDefinition } from "../../state-machines/daily.ts";

const PLACEHOLDERS = {
  symbolUpdaterArn: "arn:aws:lambda:ap-southeast-2:123456789012:function:symbol-updater:live",
  batchFetcherArn: "arn:aws:lambda:ap-southeast-2:123456789012:function:batch-fetcher:live",
  runSummaryArn: "arn:aws:lambda:ap-southeast-2:123456789012:function:run-summary:live",
  topicArn: "arn:aws:sns:ap-southeast-2:123456789012:alerts",
  maxConcurrency: 10,
  symbolUpdaterTimeoutSeconds: 330,
  batchFetcherTimeoutSeconds: 930,
  runSummaryTimeoutSeconds: 330,
  runTimeoutSeconds: 7200,
};

const states = z.record(z.string(), z.looseObject({ Type: z.string() }));
const machine = z.object({ TimeoutSeconds: z.number(), States: states });
const map = z.object({ MaxConcurrency: z.number(), ItemProcessor: z.object({ States: states }) });
const task = z.object({
  Resource: z.string(),
  TimeoutSeconds: z.number(),
  Retry: z.array(z.unknown()),
  Catch: z.array(z.object({ ErrorEquals: z.array(z.string()), Next: z.string() })),
});

/** A definition with its two maps. */
function read(filled: unknown, mapName: string) {
  const { States, TimeoutSeconds } = machine.parse(filled);
  const outer = map.parse(States[mapName]);
  const inner = map.parse(outer.ItemProcessor.States["FetchLane"]);
  return { States, TimeoutSeconds, outer, inner };
}

const backfill = read(fillBackfillDefinition(PLACEHOLDERS), "FetchHistory");
const daily = read(fillDailyDefinition(PLACEHOLDERS), "FetchBatches");

describe("the backfill", () => {
  it("is valid in the Amazon States Language", () => {
    const { isValid, errorsText } = validate(fillBackfillDefinition(PLACEHOLDERS), {
      checkArn: true,
      checkPaths: true,
    });
    expect(errorsText("\n")).toBe("");
    expect(isValid).toBe(true);
  });

  it("has every placeholder filled, numbers as numbers", () => {
    expect(JSON.stringify(fillBackfillDefinition(PLACEHOLDERS))).not.toContain("${");
    expect(backfill.outer.MaxConcurrency).toBe(PLACEHOLDERS.maxConcurrency);
    expect(() => fillBackfillDefinition(PLACEHOLDERS, { ...readBackfillDefinition(), Extra: "${unknownArn}" })).toThrow(
      "${unknownArn}",
    );
  });

  it.each([
    ["PlanBackfill", "UpdateSymbols"],
    ["SummariseBackfill", "SummariseRun"],
  ])("tries %s again as the daily run does %s, in the same time", (name, dailyName) => {
    const [ours, theirs] = [task.parse(backfill.States[name]), task.parse(daily.States[dailyName])];
    expect([ours.Retry, ours.TimeoutSeconds]).toEqual([theirs.Retry, theirs.TimeoutSeconds]);
    expect(ours.Catch.map(({ ErrorEquals }) => ErrorEquals)).toEqual(
      theirs.Catch.map(({ ErrorEquals }) => ErrorEquals),
    );
  });

  it("tries a batch again, and gives it up alone, as the daily run does", () => {
    const [ours, theirs] = [backfill, daily].map(({ inner }) => task.parse(inner.ItemProcessor.States["FetchBatch"]));
    expect([ours?.Retry, ours?.TimeoutSeconds]).toEqual([theirs?.Retry, theirs?.TimeoutSeconds]);
    expect(ours?.Catch).toEqual([expect.objectContaining({ ErrorEquals: ["States.ALL"], Next: "BatchLost" })]);
    expect(backfill.inner.ItemProcessor.States["BatchLost"]).toMatchObject({ Type: "Pass", End: true });
  });

  it("fetches a worker's batches one after the other: its share of the request budget is its own", () => {
    expect(backfill.inner.MaxConcurrency).toBe(1);
  });

  it.each(["PlanBackfill", "SummariseBackfill"])("leaves a span to the run that has it, in %s", (name) => {
    expect(task.parse(backfill.States[name]).Catch[0]).toMatchObject({
      ErrorEquals: ["RunUnderWayError"],
      Next: "AlreadyRunning",
    });
    expect(backfill.States["AlreadyRunning"]).toMatchObject({ Type: "Pass", End: true });
  });

  it("publishes a notification before every end that is no good one", () => {
    const failing = Object.entries(backfill.States).filter(([, { Type }]) => Type === "Fail");
    expect(failing.map(([name]) => name).sort()).toEqual(["BackfillFailed", "BackfillPartial", "NoPlan", "NoSummary"]);
    const notifiers = Object.values(backfill.States).filter(
      ({ Resource }) => Resource === "arn:aws:states:::sns:publish",
    );
    expect(notifiers.map(({ Next }) => Next).sort()).toEqual(failing.map(([name]) => name).sort());
    for (const notifier of notifiers) expect(task.parse(notifier).Catch.at(-1)?.Next).toBe(notifier["Next"]);
  });

  it("catches every error of every task, and bounds each and itself in time", () => {
    const tasks = Object.values(backfill.States).filter(({ Type }) => Type === "Task");
    expect(tasks).toHaveLength(6);
    for (const state of tasks) {
      const { Catch, TimeoutSeconds } = task.parse(state);
      expect(Catch.at(-1)?.ErrorEquals).toEqual(["States.ALL"]);
      expect(TimeoutSeconds).toBeLessThan(backfill.TimeoutSeconds);
    }
    expect(backfill.TimeoutSeconds).toBe(daily.TimeoutSeconds);
  });

  it("plans again in the next round, and does not carry the round before with it", () => {
    expect(backfill.States["WaitForUpstream"]).toMatchObject({
      Type: "Wait",
      SecondsPath: "$.summary.digest.redrive.waitSeconds",
      Next: "Redrive",
    });
    expect(backfill.States["Redrive"]).toMatchObject({
      Parameters: { "request.$": "$.request", asked: { "run.$": "$.summary.digest.redrive.run" } },
      Next: "PlanBackfill",
    });
  });
});
