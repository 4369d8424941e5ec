import type { WorkflowEvent } from "../../cli/daily-workflow.ts";

/** An event of an execution's history as Step Functions sends it. */
export interface SentEvent {
  readonly id: number;
  readonly type: string;
  /** Seconds since 1970. */
  readonly timestamp: number;
  readonly previousEventId: number;
  readonly [details: string]: unknown;
}

type WorkflowState = Extract<WorkflowEvent, { state: unknown }>["state"];

const LAMBDA = { resourceType: "lambda", resource: "invoke" } as const;
const NOT_TRUNCATED = { truncated: false } as const;

/**
 * Turns what the local runner tells of itself into the events that the service records for the same
 * run: a task is scheduled and started before it succeeds or fails, a map starts and succeeds, and a
 * Lambda's error carries its message in JSON.
 * @param startedAt milliseconds since 1970; every event is a quarter of a second after the one before.
 */
export function createEventRecorder(startedAt: number): {
  readonly events: SentEvent[];
  record(event: WorkflowEvent): void;
} {
  const events: SentEvent[] = [];
  /** The last event of each iteration, and under undefined of the execution itself. */
  const last = new Map<number | undefined, number>();
  const caught = new Set<string>();

  function add(type: string, index: number | undefined, details: Readonly<Record<string, unknown>> = {}): void {
    const id = events.length + 1;
    const previousEventId = last.get(index) ?? last.get(undefined) ?? 0;
    events.push({ id, type, timestamp: startedAt / 1000 + (id - 1) / 4, previousEventId, ...details });
    last.set(index, id);
  }

  function addTaskStart(index: number | undefined): void {
    add("TaskScheduled", index, {
      taskScheduledEventDetails: { ...LAMBDA, region: "ap-southeast-2", parameters: "{}" },
    });
    add("TaskStarted", index, { taskStartedEventDetails: LAMBDA });
  }

  function enter({ name, type, input }: WorkflowState, index: number | undefined): void {
    const stateEnteredEventDetails = { name, input: json(input), inputDetails: NOT_TRUNCATED };
    add(`${type}StateEntered`, index, { stateEnteredEventDetails });
    if (type === "Task") addTaskStart(index);
    if (type === "Map") add("MapStateStarted", index, { mapStateStartedEventDetails: { length: 0 } });
  }

  function exit({ name, type, output }: WorkflowState, index: number | undefined): void {
    const isCaught = caught.delete(`${name} ${index}`);
    if (type === "Task" && !isCaught) {
      add("TaskSucceeded", index, { taskSucceededEventDetails: { ...LAMBDA, output: json(output) } });
    }
    if (type === "Map" && !isCaught) add("MapStateSucceeded", index);
    const stateExitedEventDetails = { name, output: json(output), outputDetails: NOT_TRUNCATED };
    add(`${type}StateExited`, index, { stateExitedEventDetails });
  }

  return {
    events,
    record(event) {
      switch (event.type) {
        case "ExecutionStarted":
          return add(event.type, undefined, { executionStartedEventDetails: { input: json(event.input) } });
        case "ExecutionSucceeded":
          return add(event.type, undefined, { executionSucceededEventDetails: { output: json(event.output) } });
        case "ExecutionFailed":
          return add(event.type, undefined, {
            executionFailedEventDetails: { error: event.Error, cause: String(event.Cause) },
          });
        case "MapIterationStarted":
        case "MapIterationSucceeded": {
          const { name } = event.parentState;
          const details = { name, index: event.index };
          const field = event.type === "MapIterationStarted" ? "Started" : "Succeeded";
          add(event.type, event.index, { [`mapIteration${field}EventDetails`]: details });
          if (event.type === "MapIterationSucceeded") last.set(undefined, events.length);
          return;
        }
        case "StateEntered":
          return enter(event.state, event.index);
        case "StateFailed": {
          if (event.state.type !== "Task") return;
          const cause = lambdaCause(event.Error, event.Cause instanceof Error ? event.Cause.message : "");
          return add("TaskFailed", event.index, { taskFailedEventDetails: { ...LAMBDA, error: event.Error, cause } });
        }
        case "StateRetried":
          return addTaskStart(event.index);
        case "StateCaught":
          caught.add(`${event.state.name} ${event.index}`);
          return;
        case "StateExited":
          return exit(event.state, event.index);
        default:
          throw new Error(`the history has no event yet for ${event.type}`);
      }
    },
  };
}

function lambdaCause(errorType: string, errorMessage: string): string {
  return JSON.stringify({ errorType, errorMessage, trace: [`${errorType}: ${errorMessage}`] });
}

/** Data as text, with the causes of errors as Lambda gives them. */
function json(value: unknown): string {
  return JSON.stringify(value, (key, part: unknown) => {
    if (key !== "error" || typeof part !== "object" || part === null || !("Error" in part) || !("Cause" in part))
      return part;
    const { Error: name, Cause: cause } = part;
    return { Error: name, Cause: lambdaCause(String(name), String(cause)) };
  });
}
