import { describe, expect, it } from "vitest";
import {
  createHistoryReader,
  describeFailure,
  type ExecutionStep,
  historyEvent,
  parseDigest,
} from "../../cli/execution-history.ts";
import { countOutcomes } from "../../domain/batch.ts";

const DAY = "2024-05-31";

type Details = Readonly<Record<string, unknown>>;

/** The steps that a history gives, each with the id of its event. */
function read(...events: readonly (readonly [id: number, previousEventId: number, details: Details])[]) {
  const reader = createHistoryReader();
  return events.flatMap(([id, previousEventId, details]): [number, ExecutionStep][] => {
    const event = historyEvent.parse({ id, previousEventId, type: "Any", timestamp: new Date(0), ...details });
    const step = reader(event);
    return step === undefined ? [] : [[id, step]];
  });
}

const entered = (name: string): Details => ({ stateEnteredEventDetails: { name } });
const exited = (name: string, output: unknown): Details => ({
  stateExitedEventDetails: { name, output: JSON.stringify(output) },
});

describe("the history of an execution", () => {
  it.each([
    ["taskFailedEventDetails"],
    ["taskTimedOutEventDetails"],
    ["taskStartFailedEventDetails"],
    ["taskSubmitFailedEventDetails"],
  ])("tells of a try that failed with %s under the state's name", (field) => {
    const failed = { [field]: { error: "States.Timeout", cause: "" } };
    expect(read([1, 0, entered("FetchBatch")], [2, 1, {}], [3, 2, failed])).toEqual([
      [3, { kind: "failure", state: "FetchBatch", reason: "States.Timeout" }],
    ]);
  });

  it("keeps each try of states that run side by side under its own name", () => {
    const failed = { taskFailedEventDetails: { error: "Lambda.Unknown" } };
    const steps = read(
      [1, 0, entered("UpdateSymbols")],
      [2, 0, entered("SummariseRun")],
      [3, 1, {}],
      [4, 2, {}],
      [5, 3, failed],
      [6, 4, failed],
      // Tried again: what follows is scheduled after the failure, not after the state was entered.
      [7, 5, {}],
      [8, 7, failed],
      [9, 40, failed],
    );
    expect(steps.map(([id, step]) => [id, step.kind === "failure" && step.state])).toEqual([
      [5, "UpdateSymbols"],
      [6, "SummariseRun"],
      [8, "UpdateSymbols"],
      [9, "a state"],
    ]);
  });

  it.each([["UpdateSymbols"], ["FetchBatches"], ["SummariseRun"]])(
    "tells that %s is given up where it leaves with the error that was caught",
    (name) => {
      const cause = JSON.stringify({ errorType: "X", errorMessage: "no directory" });
      expect(read([1, 0, exited(name, { date: DAY, error: { Error: "X", Cause: cause } })])).toEqual([
        [1, { kind: "givenUp", state: name, reason: "X: no directory" }],
      ]);
    },
  );

  it.each([
    ["an output of another form", exited("FetchBatch", {})],
    ["a lost batch of another form", exited("BatchLost", { batchNumber: "x" })],
    ["a state of no meaning here", exited("IsTradingDay", { date: DAY })],
    ["no output", { stateExitedEventDetails: { name: "SummariseRun" } }],
    ["an output that is no JSON", { stateExitedEventDetails: { name: "SummariseRun", output: "{" } }],
  ])("gives no step for %s", (_, details) => {
    expect(read([1, 0, details])).toEqual([]);
  });
});

describe("a failure", () => {
  it.each([
    [{}, "an error without a name"],
    [{ error: "A", cause: '{"errorMessage":"b"}' }, "A: b"],
    [{ error: "A\u001b[31m", cause: "\u001b]0;title\u0007 b\r\nc" }, "A [31m: ]0;title b c"],
  ])("%j is described as %j", (failure, described) => {
    expect(describeFailure(failure)).toBe(described);
  });

  it("is cut to 300 characters, and keeps its end", () => {
    const described = describeFailure({ error: "A", cause: `${"b".repeat(5_000)}; try again` });
    expect(described).toHaveLength(300);
    expect(described).toMatch(/^A: b+ \.\.\. b+; try again$/);
  });
});

it("a digest's message is shown without control characters and cut to 300 characters", () => {
  const digest = {
    date: DAY,
    status: "complete",
    storeUrl: "s3://bucket",
    s3Key: `runs/${DAY}.json`,
    totalSymbols: 0,
    rows: 0,
    counts: countOutcomes([]),
    message: `\u001b[2J${"x".repeat(1_000)}`,
  };
  const message = parseDigest(digest)?.message;
  expect(message).toHaveLength(300);
  expect(message).toMatch(/^\[2Jx/);
});
