/** Runs the state machines on this machine: the definitions themselves, with the real handlers in this process. */
import { StateMachine } from "aws-local-stepfunctions";
import * as z from "zod";
import { createBatchFetcher } from "../lambdas/batch-fetcher/handler.ts";
import { createRunSummary } from "../lambdas/run-summary/handler.ts";
import type { Environment, Invocation, Runtime } from "../lambdas/runtime/runtime.ts";
import { createSymbolUpdater } from "../lambdas/symbol-updater/handler.ts";
import type { DailyPlaceholders } from "../state-machines/daily.ts";
import type { StateMachineJson } from "../state-machines/definition.ts";

/** What a workflow tells of itself while it runs: states entered and left, batches begun and ended. */
export type WorkflowEvent =
  ReturnType<StateMachine["run"]>["eventLogs"] extends AsyncGenerator<infer Event> ? Event : never;

/** The workflows' functions. */
export type FunctionName = "symbol-updater" | "batch-fetcher" | "run-summary";

/** Invokes a function: calls it, maybe more than once, and returns what it returned or throws an error for the workflow to see. */
export type Invoke = (name: FunctionName, call: (invocation?: Invocation) => Promise<unknown>) => Promise<unknown>;

/** What a run of a workflow on this machine needs. */
export interface LocalRunOptions {
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
  /** The longest wait before unfinished symbols are fetched again, in milliseconds. */
  readonly longestRedriveWaitMs: number;
  /** Default: each function is called once, and nothing ends it from outside. */
  readonly invoke?: Invoke;
}

/** A workflow as it is run here. */
export interface LocalWorkflow {
  /** Fills the definition of the workflow. */
  readonly fill: (placeholders: DailyPlaceholders) => StateMachineJson;
  /** The input of the execution. */
  readonly input: unknown;
  /** Told what the run summary returned, before the workflow goes on. The wait of WaitForUpstream is its to make. */
  readonly onSummary: (digest: unknown) => Promise<void>;
}

/** How an execution on this machine ended: with an output, or under an error. */
export type LocalEnd =
  | { readonly output: unknown }
  | { readonly error: { readonly name: string; readonly cause: string } };

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
 * Runs a workflow to its end.
 * @throws InvalidInputError for a bad environment, before anything runs.
 */
export async function runLocally(workflow: LocalWorkflow, options: LocalRunOptions): Promise<LocalEnd> {
  const functions = localFunctions(workflow, options);
  const definition = workflow.fill({ ...ARNS, ...NO_TIME_OUTS, maxConcurrency: options.maxConcurrency });
  const execution = localStateMachine(definition).run(overTheWire(workflow.input), {
    context: { Execution: { Id: options.run } },
    overrides: {
      waitTimeOverrides: { WaitForUpstream: 0 },
      taskResourceLocalHandlers: taskHandlers(definition, functions, options.onNotification),
      retryIntervalOverrides: Object.fromEntries(taskStates(definition).map(([name]) => [name, options.retryDelayMs])),
    },
  });
  const events = forwardEvents(execution.eventLogs, options.onEvent);
  try {
    return { output: await execution.result };
  } catch (error) {
    return { error: failureOf(error) };
  } finally {
    await events;
  }
}

type LocalFunctions = ReadonlyMap<string, (payload: unknown) => Promise<unknown>>;

/** The handlers by the names under which they stand in the definition. */
function localFunctions({ onSummary }: LocalWorkflow, options: LocalRunOptions): LocalFunctions {
  const { environment, runtime, invoke = (_, call) => call() } = options;
  const startedAt = new Date(runtime.clock.now()).toISOString();
  const summarise = createRunSummary(environment, runtime);
  const updateSymbols = createSymbolUpdater(environment, runtime);
  const fetchBatch = createBatchFetcher(environment, runtime);
  return new Map<string, (payload: unknown) => Promise<unknown>>([
    [ARNS.symbolUpdaterArn, (payload) => invoke("symbol-updater", (context) => updateSymbols(payload, context))],
    [ARNS.batchFetcherArn, (payload) => invoke("batch-fetcher", (context) => fetchBatch(payload, context))],
    [
      ARNS.runSummaryArn,
      async (payload) => {
        const event = { ...started.parse(payload), startedAt };
        const digest = await invoke("run-summary", (context) => summarise(event, context));
        await onSummary(digest);
        return digest;
      },
    ],
  ]);
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
  functions: LocalFunctions,
  onNotification: LocalRunOptions["onNotification"],
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
  onEvent: LocalRunOptions["onEvent"],
): Promise<void> {
  for await (const event of events) onEvent?.(event);
}

/** The runner wraps the error that ended the execution. */
function failureOf(error: unknown): { name: string; cause: string } {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return inner instanceof Error ? { name: inner.name, cause: inner.message } : { name: "Error", cause: String(inner) };
}
