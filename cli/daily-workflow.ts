import { StateMachine } from "aws-local-stepfunctions";
import * as z from "zod";
import type { SymbolUpdaterEvent } from "../domain/batch.ts";
import { type RunDigest, runDigest } from "../domain/run-summary.ts";
import { createBatchFetcher } from "../lambdas/batch-fetcher/handler.ts";
import { createRunSummary } from "../lambdas/run-summary/handler.ts";
import type { Environment, Handler, Runtime } from "../lambdas/runtime/runtime.ts";
import { createSymbolUpdater } from "../lambdas/symbol-updater/handler.ts";
import { fillDailyDefinition } from "../state-machines/daily.ts";
import type { StateMachineJson } from "../state-machines/definition.ts";

/** What the workflow tells of itself while it runs: states entered and left, batches begun and ended. */
export type WorkflowEvent =
  ReturnType<StateMachine["run"]>["eventLogs"] extends AsyncGenerator<infer Event> ? Event : never;

/** How a run of the workflow on this machine ended. */
export interface WorkflowEnd {
  /** What the run summary returned; undefined where the run broke off before it. */
  readonly digest: RunDigest | undefined;
  /** The error under which the execution failed; undefined where it succeeded. */
  readonly error: { readonly name: string; readonly cause: string } | undefined;
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
  const { environment, runtime, maxConcurrency } = options;
  const startedAt = new Date(runtime.clock.now()).toISOString();
  let digest: RunDigest | undefined;
  const summarise = createRunSummary(runtime);
  const handlers: ReadonlyMap<string, Handler<unknown>> = new Map<string, Handler<unknown>>([
    [ARNS.symbolUpdaterArn, createSymbolUpdater(environment, runtime)],
    [ARNS.batchFetcherArn, createBatchFetcher(environment, runtime)],
    [
      ARNS.runSummaryArn,
      async (payload) => {
        digest = runDigest.parse(await summarise({ ...started.parse(payload), startedAt }));
        return digest;
      },
    ],
  ]);
  const definition = fillDailyDefinition({ ...ARNS, ...NO_TIME_OUTS, maxConcurrency });
  const execution = localStateMachine(definition).run(overTheWire(event), {
    overrides: {
      taskResourceLocalHandlers: taskHandlers(definition, handlers, options.onNotification),
      retryIntervalOverrides: Object.fromEntries(taskStates(definition).map(([name]) => [name, options.retryDelayMs])),
    },
  });
  const events = forwardEvents(execution.eventLogs, options.onEvent);
  try {
    await execution.result;
    return { digest, error: undefined };
  } catch (error) {
    return { digest, error: failureOf(error) };
  } finally {
    await events;
  }
}

type Json = Parameters<StateMachine["run"]>[0];
type TaskHandler = (input: unknown) => Promise<Json>;

/** The runner checks the definition with asl-validator when it is made. */
function localStateMachine(definition: StateMachineJson): StateMachine {
  const form = z.custom<ConstructorParameters<typeof StateMachine>[0]>();
  return new StateMachine(form.parse(definition));
}

/** One function for each Task state: it reads the resource's own parameters, as the service would. */
function taskHandlers(
  definition: StateMachineJson,
  handlers: ReadonlyMap<string, Handler<unknown>>,
  onNotification: WorkflowOptions["onNotification"],
): Record<string, TaskHandler> {
  const services: Record<string, TaskHandler> = {
    "arn:aws:states:::lambda:invoke": async (input) => {
      const { FunctionName, Payload } = invocation.parse(input);
      const handler = handlers.get(FunctionName);
      if (handler === undefined) throw new Error(`no local function is named ${FunctionName}`);
      return { StatusCode: 200, Payload: overTheWire(await handler(Payload)) };
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
