import validate from "asl-validator";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import * as errors from "../../domain/errors.ts";
import { InvalidInputError } from "../../domain/errors.ts";
import { fillDailyDefinition, readDailyDefinition } from "../../state-machines/daily.ts";

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

const retrier = z.object({
  ErrorEquals: z.array(z.string()),
  MaxAttempts: z.number(),
  MaxDelaySeconds: z.number().optional(),
});
const task = z.object({
  Type: z.literal("Task"),
  Resource: z.string(),
  TimeoutSeconds: z.number(),
  Retry: z.array(retrier),
  Catch: z.array(z.object({ ErrorEquals: z.array(z.string()), Next: z.string() })),
});
const machine = z.object({ TimeoutSeconds: z.number(), States: z.record(z.string(), z.unknown()) });
const map = z.object({
  MaxConcurrency: z.number(),
  ItemProcessor: z.object({ States: z.record(z.string(), z.unknown()) }),
});
const wait = z.object({ Type: z.literal("Wait"), SecondsPath: z.string(), Next: z.string() });

const definition = machine.parse(fillDailyDefinition(PLACEHOLDERS));
const fetchBatches = map.parse(definition.States["FetchBatches"]);
const fetchLane = map.parse(fetchBatches.ItemProcessor.States["FetchLane"]);
const invocations = {
  UpdateSymbols: task.parse(definition.States["UpdateSymbols"]),
  FetchBatch: task.parse(fetchLane.ItemProcessor.States["FetchBatch"]),
  SummariseRun: task.parse(definition.States["SummariseRun"]),
};

/** Whether a state is a Task, whatever else it has or lacks. */
function isTask(state: unknown): boolean {
  return z.object({ Type: z.string() }).parse(state).Type === "Task";
}

/** The names of the project's errors that trying again can heal, and of those it cannot. */
function errorNames(kind: errors.ErrorKind): string[] {
  const classes = [
    errors.UpstreamUnavailableError,
    errors.UpstreamRefusedError,
    errors.GateClosedError,
    errors.DirectoryUnavailableError,
    errors.DirectoryRefusedError,
    errors.SymbolsMissingError,
    errors.SessionNotSettledError,
    errors.RunUnderWayError,
    errors.InvalidInputError,
    errors.StoredFileError,
    errors.DateNotStoredError,
    errors.QueryFailedError,
    errors.QueryTimeoutError,
    errors.StoreUnavailableError,
    errors.StoreConflictError,
    errors.StoreRefusedError,
  ];
  return classes
    .map((Class) => new Class(""))
    .filter((error) => error.kind === kind)
    .map(({ name }) => name);
}

it("knows every error of the project", () => {
  const exported = Object.keys(errors).filter((name) => name.endsWith("Error") && name !== "AsxEodError");
  expect([...errorNames("transient"), ...errorNames("terminal")].toSorted()).toEqual(exported.toSorted());
});

describe("the daily workflow", () => {
  it("is valid in the Amazon States Language", () => {
    const { isValid, errorsText } = validate(fillDailyDefinition(PLACEHOLDERS), { checkArn: true, checkPaths: true });
    expect(errorsText("\n")).toBe("");
    expect(isValid).toBe(true);
  });

  it("has every placeholder filled, numbers as numbers", () => {
    expect(JSON.stringify(fillDailyDefinition(PLACEHOLDERS))).not.toContain("${");
    expect(fetchBatches.MaxConcurrency).toBe(10);
  });

  it.each(Object.entries(invocations))("retries a store's trouble in %s, and no terminal error", (_, { Retry }) => {
    const retried = Retry.flatMap(({ ErrorEquals }) => ErrorEquals);
    expect(retried).toEqual(expect.arrayContaining(["StoreUnavailableError", "StoreConflictError"]));
    expect(retried).not.toContain("States.ALL");
    expect(retried).not.toContain("States.TaskFailed");
    expect(retried.filter((name) => errorNames("terminal").includes(name))).toEqual([]);
  });

  it("leaves an upstream's trouble to the next round of the run, which gives it time", () => {
    expect(wait.parse(definition.States["WaitForUpstream"])).toMatchObject({
      SecondsPath: "$.summary.digest.redrive.waitSeconds",
      Next: "Redrive",
    });
  });

  it("fetches a worker's batches one after the other: its share of the request budget is its own", () => {
    expect(fetchLane.MaxConcurrency).toBe(1);
  });

  it("leaves a date that is being run to the run that has it", () => {
    expect(invocations.UpdateSymbols.Catch[0]).toMatchObject({
      ErrorEquals: ["RunUnderWayError"],
      Next: "AlreadyRunning",
    });
    expect(definition.States["AlreadyRunning"]).toMatchObject({ Type: "Pass", End: true });
  });

  it.each(Object.entries(invocations))(
    "retries the faults of the Lambda service in %s, a bounded number of times",
    (_, { Retry }) => {
      const retried = Retry.flatMap(({ ErrorEquals }) => ErrorEquals);
      expect(retried).toEqual(
        expect.arrayContaining([
          "Lambda.ClientExecutionTimeoutException",
          "Lambda.ServiceException",
          "Lambda.AWSLambdaException",
          "Lambda.SdkClientException",
          "Lambda.TooManyRequestsException",
          "Sandbox.Timedout",
          "Runtime.ExitError",
          "Lambda.Unknown",
          "States.Timeout",
        ]),
      );
      for (const { MaxAttempts, MaxDelaySeconds } of Retry) {
        expect(MaxAttempts).toBeLessThanOrEqual(6);
        expect(MaxDelaySeconds).toBeLessThanOrEqual(300);
      }
    },
  );

  it("catches every error of every task, so that no fault goes without a notification or a summary", () => {
    const tasks = Object.values(definition.States).filter((state) => isTask(state));
    expect(tasks).toHaveLength(6);
    for (const state of tasks) expect(task.parse(state).Catch.at(-1)?.ErrorEquals).toEqual(["States.ALL"]);
    expect(invocations.FetchBatch.Catch.at(-1)).toMatchObject({ ErrorEquals: ["States.ALL"], Next: "BatchLost" });
  });

  it("bounds every task and itself in time", () => {
    expect(definition.TimeoutSeconds).toBeLessThanOrEqual(7200);
    for (const { TimeoutSeconds } of Object.values(invocations))
      expect(TimeoutSeconds).toBeLessThan(definition.TimeoutSeconds);
  });
});

describe("filling the daily workflow", () => {
  it("refuses a placeholder that is left over", () => {
    expect(() => fillDailyDefinition(PLACEHOLDERS, { ...readDailyDefinition(), Extra: "${unknownArn}" })).toThrow(
      InvalidInputError,
    );
  });

  it("refuses a placeholder inside other text", () => {
    expect(() => fillDailyDefinition(PLACEHOLDERS, { ...readDailyDefinition(), Extra: "x-${topicArn}" })).toThrow(
      '"x-${topicArn}"',
    );
  });

  it("refuses a value that no placeholder takes", () => {
    expect(() => fillDailyDefinition(PLACEHOLDERS, { Arn: "${topicArn}" })).toThrow("symbolUpdaterArn");
  });
});
