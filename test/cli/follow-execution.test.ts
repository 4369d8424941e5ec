import { describe, expect, it } from "vitest";
import { type ExecutionStep, type HistoryEvent, historyEvent } from "../../cli/execution-history.ts";
import { followExecution } from "../../cli/follow-execution.ts";
import type { ExecutionState, StateMachineClient } from "../../cli/state-machine-client.ts";
import { createTestClock } from "../support/test-clock.ts";
import { EVENING } from "../support/test-runtime.ts";

const ARN = "arn:aws:states:ap-southeast-2:123456789012:execution:daily:run-2024-05-31";
const STARTED = Date.parse(EVENING);

/** An event a second after the one before. */
function event(id: number, type: string): HistoryEvent {
  return historyEvent.parse({ id, type, timestamp: new Date(STARTED + id * 1000) });
}

/** A client that shows one look after the other, the last one for ever; and the ids it was asked for. */
function scripted(looks: readonly (readonly [ExecutionState["status"], readonly HistoryEvent[]])[]) {
  const askedAfter: number[] = [];
  let look = -1;
  const client: StateMachineClient = {
    start: () => Promise.reject(new Error("nothing is to be started")),
    async describe() {
      look = Math.min(look + 1, looks.length - 1);
      return { status: looks[look]?.[0] ?? "RUNNING", startDate: STARTED };
    },
    async eventsAfter(_, id) {
      askedAfter.push(id);
      return (looks[look]?.[1] ?? []).filter((candidate) => candidate.id > id);
    },
  };
  return { client, askedAfter };
}

describe("following an execution", () => {
  it("looks every 2.5 seconds, for what is new only", async () => {
    const started = event(1, "ExecutionStarted");
    const { client, askedAfter } = scripted([
      ["RUNNING", [started]],
      ["RUNNING", []],
      ["RUNNING", [event(2, "PassStateEntered"), event(3, "PassStateExited")]],
      ["SUCCEEDED", [event(4, "ExecutionSucceeded")]],
    ]);
    const clock = createTestClock(EVENING);
    const end = await followExecution(client, ARN, { clock, onStep: () => undefined });
    expect(clock.slept).toEqual([2500, 2500, 2500]);
    expect(askedAfter).toEqual([0, 1, 1, 3]);
    expect(end).toEqual({ digest: undefined, failure: undefined, startedAt: STARTED, tookMs: 4000 });
  });

  it("tells how long before the newest event a step happened, by the service's clock alone", async () => {
    const failed = { ...event(2, "TaskFailed"), taskFailedEventDetails: { error: "States.Timeout" } };
    const { client } = scripted([["SUCCEEDED", [failed, event(3, "TaskStarted"), event(5, "ExecutionSucceeded")]]]);
    const told: [string, number][] = [];
    const onStep = (step: ExecutionStep, agoMs: number) => told.push([step.kind, agoMs]);
    const clock = createTestClock("2000-01-01T00:00:00Z");
    expect(await followExecution(client, ARN, { clock, onStep })).toMatchObject({ tookMs: 5000 });
    expect(told).toEqual([["failure", 3000]]);
  });

  it("looks four times more where the history of an ended execution has no end", async () => {
    const { client } = scripted([["FAILED", [event(1, "ExecutionStarted")]]]);
    const clock = createTestClock(EVENING);
    const end = await followExecution(client, ARN, { clock, onStep: () => undefined });
    expect(clock.slept).toHaveLength(4);
    expect(end.failure).toBe("FAILED");
  });

  it("goes on with an execution that is taken up again after it had failed", async () => {
    const failed = event(2, "ExecutionFailed");
    const { client } = scripted([
      ["RUNNING", [event(1, "ExecutionStarted"), failed, event(3, "ExecutionRedriven")]],
      ["SUCCEEDED", []],
      ["SUCCEEDED", [event(4, "ExecutionSucceeded")]],
    ]);
    const clock = createTestClock(EVENING);
    await followExecution(client, ARN, { clock, onStep: () => undefined });
    expect(clock.slept).toHaveLength(2);
  });
});
