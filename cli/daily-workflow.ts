import { StateMachine } from "aws-local-stepfunctions";
import * as z from "zod";
import type { SymbolUpdaterEvent } from "../domain/batch.ts";
import { type Redrive, type RunDigest, runDigest } from "../domain/run-summary.ts";
import { reasonLeftToAnother } from "../domain/run-under-way.ts";
import { createBatchFetcher } from "../lambdas/batch-fetcher/handler.ts";
import { createRunSummary } from "../lambdas/run-summary/handler.ts";
import type { Environment, Invocation, Runtime } from "../lambdas/runtime/runtime.ts";
import { createSymbolUpdater } from "../lambdas/symbol-updater/handler.ts";
import { fillDailyDefinition } from "../state-machines/daily.ts";
import type { StateMachineJson } from "../state-machines/definition.ts";

/** What the workflow tells of itself while it runs: states entered and left, batches begun and ended. */
export type WorkflowEvent =
  ReturnType<StateMachine["run"]>["eventLogs"] extends AsyncGenerator<infer Event> ? Event : never;

/** The workflow's functions. */
export type FunctionName = "symbol-updater" | "batch-fetcher" | "run-summary";

/** Invokes a function: calls it, maybe more than once, and returns what it returned or throws an error for the workflow to see. */
export type Invoke = (name: FunctionName, call: (invocation?: Invocation) => Promise<unknown>) => Promise<unknown>;

/** How a run of the workflow on this machine ended. */
export interface WorkflowEnd {
  /** What the run summary returned; undefined where the run broke off before it, or left the date to another run. */
  readonly digest: RunDigest | undefined;
  /** The error under which the execution failed; undefined where it succeeded. */
  readonly error: { readonly name: string; readonly cause: string } | undefined;
  /** Why the date was left to another run, where it was. */
  readonly underWay?: string;
}

/** What a run of the workflow needs. */
export interface WorkflowOptions {
  /** The environment of all three Lambdas. */
  readonly environment: Environment;
  readonly runtime: Runtime;
  readonly maxConcurrency: number;
  /** Told of the notifications that the deployed workflow would publish to its topic. */
  readonly onNotification: (subject: string, message: string) => void;
  readonly onEvent?: (event: WorkflowEvent) => void;
  /** Waits before a state is tried again, in milliseconds, instead of those of the definition. */
  readonly retryDelayMs: number;
  /** The name of the run: that of its lock, where one is held already. */
  readonly run: string;
  /** The longest wait before unfinished symbols are fetched again, in milliseconds; told of every such wait. */
  readonly longestRedriveWaitMs: number;
  readonly onRedrive?: (redrive: Redrive, waitMs: number) => void;
  /** Default: each function is called once, and nothing ends it from outside. */
  readonly invoke?: Invoke;
}

/** Names under which the local functions stand in the definition, in the form it asks for. */
const ARNS = {
  symbolUpdaterArn: "arn:aws:lambda:ap-southeast-2:000000000000:function:symbol-updater",
  batchFetcherArn: "arn:aws:lambda:ap-southeast-2:000000000000:function:batch-fetcher",
  runSummaryArn: "arn:aws:lambda:ap-southeast-2:000000000000:function:run-summary",
  topicArn: "arn:aws:sns:ap-southeast-2:000000000000:notifications",
} as const;

/**
 * On this machine nothing ends a function from outside: a try that had timed out would go on beside the
 * next one. A low rate may take hours; every request is bounded in itself.
 */
const NO_TIME_OUTS = {
  symbolUpdaterTimeoutSeconds: 86_400,
  batchFetcherTimeoutSeconds: 86_400,
  runSummaryTimeoutSeconds: 86_400,
  runTimeoutSeconds: 172_800,
} as const;

/** What the runner makes of `$$.Execution.StartTime` is the host's time, not that of the clock handed in. */
const started = z.looseObject({ startedAt: z.string() });

const invocation = z.object({ FunctionName: z.string(), Payload: z.unknown() });
const notification = z.object({ Subject: z.string(), Message: z.string() });

/**
 * Runs the daily workflow, `state-machines/daily.asl.json` itself, with the real handlers in this process.
 * @throws InvalidInputError for a bad environment, before anything runs.
 */
export async function runDailyWorkflow(event: SymbolUpdaterEvent, options: WorkflowOptions): Promise<WorkflowEnd> {
  const { environment, runtime, maxConcurrency, invoke = (_, call) => call() } = options;
  const startedAt = new Date(runtime.clock.now()).toISOString();
  let digest: RunDigest | undefined;
  const summarise = createRunSummary(environment, runtime);
  const updateSymbols = createSymbolUpdater(environment, runtime);
  const fetchBatch = createBatchFetcher(environment, runtime);
  const functions: ReadonlyMap<string, (payload: unknown) => Promise<unknown>> = new Map([
    [
      ARNS.symbolUpdaterArn,
      (payload: unknown) => invoke("symbol-updater", (invocation) => updateSymbols(payload, invocation)),
    ],
    [
      ARNS.batchFetcherArn,
      (payload: unknown) => invoke("batch-fetcher", (invocation) => fetchBatch(payload, invocation)),
    ],
    [
      ARNS.runSummaryArn,
      async (payload: unknown) => {
        const event = { ...started.parse(payload), startedAt };
        digest = runDigest.parse(await invoke("run-summary", (invocation) => summarise(event, invocation)));
        if (digest.redrive !== null) await waitForRedrive(digest.redrive, options);
        return digest;
      },
    ],
  ]);
  const definition = fillDailyDefinition({ ...ARNS, ...NO_TIME_OUTS, maxConcurrency });
  const execution = localStateMachine(definition).run(overTheWire(event), {
    context: { Execution: { Id: options.run } },
    overrides: {
      waitTimeOverrides: { WaitForUpstream: 0 },
      taskResourceLocalHandlers: taskHandlers(definition, functions, options.onNotification),
      retryIntervalOverrides: Object.fromEntries(taskStates(definition).map(([name]) => [name, options.retryDelayMs])),
    },
  });
  const events = forwardEvents(execution.eventLogs, options.onEvent);
  try {
    const underWay = reasonLeftToAnother(await execution.result);
    return { digest, error: undefined, ...(underWay !== undefined && { underWay }) };
  } catch (error) {
    return { digest, error: failureOf(error) };
  } finally {
    await events;
  }
}

/** The wait of the state WaitForUpstream, by the clock that is handed in: the runner knows the host's only. */
async function waitForRedrive(redrive: Redrive, options: WorkflowOptions): Promise<void> {
  const waitMs = Math.min(redrive.waitSeconds * 1000, options.longestRedriveWaitMs);
  options.onRedrive?.(redrive, waitMs);
  await options.runtime.clock.sleep(waitMs);
}

type Json = Parameters<StateMachine["run"]>[0];
type TaskHandler = (input: unknown) => Promise<Json>;

const machines = new Map<string, StateMachine>();

/** The runner checks the definition with asl-validator when it is made, which takes longer than a run: once is enough. */
function localStateMachine(definition: StateMachineJson): StateMachine {
  const form = z.custom<ConstructorParameters<typeof StateMachine>[0]>();
  const text = JSON.stringify(definition);
  const machine = machines.get(text) ?? new StateMachine(form.parse(definition));
  machines.set(text, machine);
  return machine;
}

/** One function for each Task state: it reads the resource's own parameters, as the service would. */
function taskHandlers(
  definition: StateMachineJson,
  functions: ReadonlyMap<string, (payload: unknown) => Promise<unknown>>,
  onNotification: WorkflowOptions["onNotification"],
): Record<string, TaskHandler> {
  const services: Record<string, TaskHandler> = {
    "arn:aws:states:::lambda:invoke": async (input) => {
      const { FunctionName, Payload } = invocation.parse(input);
      const invokeFunction = functions.get(FunctionName);
      if (invokeFunction === undefined) throw new Error(`no local function is named ${FunctionName}`);
      return { StatusCode: 200, Payload: overTheWire(await invokeFunction(Payload)) };
    },
    "arn:aws:states:::sns:publish": async (input) => {
      const { Subject, Message } = notification.parse(input);
      onNotification(Subject, Message);
      return { MessageId: "local" };
    },
  };
  return Object.fromEntries(
    taskStates(definition).map(([name, resource]): [string, TaskHandler] => {
      const service = services[resource];
      if (service === undefined)
        throw new Error(`state ${name} uses ${resource}, which has no stand-in on this machine`);
      return [name, service];
    }),
  );
}

const stateForm = z.object({
  Type: z.string(),
  Resource: z.string().optional(),
  ItemProcessor: z.unknown().optional(),
});
const machineForm = z.object({ States: z.record(z.string(), stateForm) });

/** Name and resource of every Task state, those inside Map states too. */
function taskStates(definition: unknown): [string, string][] {
  return Object.entries(machineForm.parse(definition).States).flatMap(([name, state]): [string, string][] => {
    if (state.ItemProcessor !== undefined) return taskStates(state.ItemProcessor);
    return state.Type === "Task" && state.Resource !== undefined ? [[name, state.Resource]] : [];
  });
}

/** What is left of a message after it was sent as JSON. */
function overTheWire(message: unknown): Json {
  return JSON.parse(JSON.stringify(message));
}

async function forwardEvents(
  events: AsyncGenerator<WorkflowEvent>,
  onEvent: WorkflowOptions["onEvent"],
): Promise<void> {
  for await (const event of events) onEvent?.(event);
}

/** The runner wraps the error that ended the execution. */
function failureOf(error: unknown): { name: string; cause: string } {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return inner instanceof Error ? { name: inner.name, cause: inner.message } : { name: "Error", cause: String(inner) };
}
