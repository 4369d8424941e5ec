import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import * as z from "zod";
import type { WorkflowEvent } from "../../cli/daily-workflow.ts";
import { createEventRecorder, type SentEvent } from "./execution-events.ts";
import { startAnsweringServer } from "./s3-server.ts";

/** A stand-in of Step Functions on this machine: one state machine, whose executions really run. */
export interface StepFunctionsServer {
  /** `http://127.0.0.1:PORT`. */
  readonly endpoint: string;
  readonly stateMachineArn: string;
  /** `StartExecution run-2024-05-31`, `DescribeExecution ...`: what was asked, in order. */
  readonly requests: string[];
  /** The input of each execution that was started, by name. */
  readonly inputs: ReadonlyMap<string, string>;
  /** Ends a running execution from outside: aborted by a user, or out of time. */
  end(name: string, status: "ABORTED" | "TIMED_OUT", reason?: { error?: string; cause?: string }): void;
  close(): Promise<void>;
}

/** An answer other than the right one. */
export interface Fault {
  /** 400 where nothing is said. */
  readonly status?: number;
  /** The error's name, such as `ThrottlingException`. */
  readonly type: string;
  readonly message: string;
}

/** What the stand-in is made of. */
export interface StepFunctionsOptions {
  /** Runs the workflow and tells of everything it does. */
  readonly run: (input: unknown, onEvent: (event: WorkflowEvent) => void) => Promise<unknown>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** New events that each look at the history shows: an execution goes on as it is looked at. */
  readonly eventsPerLook?: number;
  /** Whether an execution counts as ended before its history says so, as can happen for a moment. */
  readonly isHistoryLate?: boolean;
  /** Gives a fault in place of an answer. */
  readonly fault?: (operation: string, count: number) => Fault | undefined;
  /** Changes what an operation answers. */
  readonly change?: (operation: string, answer: Answer) => unknown;
}

type Answer = Readonly<Record<string, unknown>>;

interface Execution {
  readonly name: string;
  readonly arn: string;
  readonly input: string;
  readonly startedAt: number;
  readonly events: SentEvent[];
  /** Resolves when the workflow has run and every event is known. */
  readonly whole: Promise<unknown>;
  shown: number;
  ended: { status: string; error?: string; cause?: string } | undefined;
}

/** An answer with an error. */
class ServiceError extends Error {
  readonly fault: Fault;

  constructor(type: string, message: string, status = 400) {
    super(message);
    this.fault = { type, message, status };
  }
}

const REGION = "ap-southeast-2";
const ACCOUNT = "123456789012";
const MACHINE = "asx-eod-daily";
const STATE_MACHINE_ARN = `arn:aws:states:${REGION}:${ACCOUNT}:stateMachine:${MACHINE}`;
const EXECUTION_PREFIX = `arn:aws:states:${REGION}:${ACCOUNT}:execution:${MACHINE}:`;

const start = z.object({ stateMachineArn: z.string(), name: z.string(), input: z.string() });
const describe = z.object({ executionArn: z.string() });
const history = describe.extend({
  maxResults: z.number().int().min(0).max(1000).default(100),
  reverseOrder: z.boolean().default(false),
  nextToken: z.string().optional(),
});

/** Starts the stand-in on a free port of 127.0.0.1. It speaks AWS JSON 1.0, as the service does. */
export async function startStepFunctionsServer(options: StepFunctionsOptions): Promise<StepFunctionsServer> {
  const { eventsPerLook = 7, isHistoryLate = false } = options;
  const executions = new Map<string, Execution>();
  const inputs = new Map<string, string>();
  const requests: string[] = [];

  const isRunning = ({ ended, shown, events }: Execution): boolean =>
    ended === undefined && shown < events.length && !isHistoryLate;

  function find(arn: string): Execution {
    const execution = executions.get(arn.slice(EXECUTION_PREFIX.length));
    if (!arn.startsWith(EXECUTION_PREFIX) || execution === undefined)
      throw new ServiceError("ExecutionDoesNotExist", `Execution Does Not Exist: '${arn}'`);
    return execution;
  }

  const operations: Readonly<Record<string, (body: unknown) => Promise<Answer>>> = {
    async StartExecution(body) {
      const { stateMachineArn, name, input } = start.parse(body);
      if (!stateMachineArn.includes(":stateMachine:"))
        throw new ServiceError("InvalidArn", `Invalid Arn: '${stateMachineArn}'`);
      if (stateMachineArn !== STATE_MACHINE_ARN)
        throw new ServiceError("StateMachineDoesNotExist", `State Machine Does Not Exist: '${stateMachineArn}'`);
      if (name.length > 80 || /[\s<>{}[\]?*"#%\\^|~`$&,;:/\p{Cc}]/u.test(name))
        throw new ServiceError("InvalidName", `Invalid Name: '${name}'`);
      const parsed = parseExecutionInput(input);
      const existing = executions.get(name);
      if (existing !== undefined) {
        await existing.whole;
        if (isRunning(existing) && existing.input === input) return startAnswer(existing);
        throw new ServiceError("ExecutionAlreadyExists", `Execution Already Exists: '${existing.arn}'`);
      }
      const startedAt = options.now();
      const { events, record } = createEventRecorder(startedAt);
      const whole = options.run(parsed, record);
      const arn = `${EXECUTION_PREFIX}${name}`;
      const execution: Execution = { name, arn, input, startedAt, events, whole, shown: 0, ended: undefined };
      executions.set(name, execution);
      inputs.set(name, input);
      return startAnswer(execution);
    },

    async DescribeExecution(body) {
      const execution = find(describe.parse(body).executionArn);
      await execution.whole;
      return describeAnswer(execution, isRunning(execution));
    },

    async GetExecutionHistory(body) {
      const { executionArn, maxResults, reverseOrder, nextToken } = history.parse(body);
      const execution = find(executionArn);
      await execution.whole;
      if (nextToken === undefined && execution.ended === undefined)
        execution.shown = Math.min(execution.shown + eventsPerLook, execution.events.length);
      // A page goes on where the one before ended, whatever has happened since.
      const [shown, from] = nextToken === undefined ? [execution.shown, 0] : readToken(nextToken);
      const events = execution.events.slice(0, shown);
      if (reverseOrder) events.reverse();
      const to = from + maxResults;
      const page = events.slice(from, to);
      return { events: page, ...(to < events.length && { nextToken: writeToken(shown, to) }) };
    },
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const operation = /^AWSStepFunctions\.(\w+)$/.exec(String(request.headers["x-amz-target"]))?.[1] ?? "";
    try {
      const perform = operations[operation];
      if (perform === undefined || request.headers["content-type"] !== "application/x-amz-json-1.0")
        throw new ServiceError("UnknownOperationException", "");
      checkSignature(request.headers.authorization);
      const body: unknown = JSON.parse(await text(request));
      requests.push(`${operation} ${subject(body)}`);
      const count = requests.filter((asked) => asked.startsWith(`${operation} `)).length;
      const fault = options.fault?.(operation, count);
      if (fault !== undefined) throw new ServiceError(fault.type, fault.message, fault.status);
      const answered = await perform(body);
      send(response, 200, options.change?.(operation, answered) ?? answered);
    } catch (error) {
      const { type, message, status = 400 } = faultOf(error);
      send(response, status, { __type: `com.amazonaws.swf.service.v2.model#${type}`, message });
    }
  }

  const server = await startAnsweringServer((request, response) => void answer(request, response));
  return {
    endpoint: server.endpoint,
    stateMachineArn: STATE_MACHINE_ARN,
    requests,
    inputs,
    end(name, status, reason = {}) {
      const execution = find(`${EXECUTION_PREFIX}${name}`);
      execution.ended = { status, ...reason };
      const type = status === "ABORTED" ? "ExecutionAborted" : "ExecutionTimedOut";
      execution.events.splice(execution.shown);
      const id = execution.shown + 1;
      const field = status === "ABORTED" ? "executionAbortedEventDetails" : "executionTimedOutEventDetails";
      const timestamp = execution.startedAt / 1000 + id / 4;
      execution.events.push({ id, type, timestamp, previousEventId: id - 1, [field]: reason });
      execution.shown = execution.events.length;
    },
    close: server.close,
  };
}

function startAnswer({ arn, startedAt }: Execution): Answer {
  return { executionArn: arn, startDate: startedAt / 1000 };
}

const endDetails = z.object({
  output: z.string().optional(),
  error: z.string().optional(),
  cause: z.string().optional(),
});

function describeAnswer({ name, arn, input, startedAt, events, ended }: Execution, isRunning: boolean): Answer {
  const about = {
    executionArn: arn,
    stateMachineArn: STATE_MACHINE_ARN,
    name,
    startDate: startedAt / 1000,
    input,
    inputDetails: { included: true },
    redriveCount: 0,
  };
  const last = events.at(-1);
  if (isRunning || last === undefined) return { ...about, status: "RUNNING" };
  if (ended !== undefined) return { ...about, ...ended, stopDate: last.timestamp };
  const hasSucceeded = last.type === "ExecutionSucceeded";
  const details = hasSucceeded ? last["executionSucceededEventDetails"] : last["executionFailedEventDetails"];
  const status = hasSucceeded ? "SUCCEEDED" : "FAILED";
  return { ...about, status, stopDate: last.timestamp, ...endDetails.parse(details) };
}

function parseExecutionInput(input: string): unknown {
  try {
    return JSON.parse(input);
  } catch {
    throw new ServiceError("InvalidExecutionInput", "Invalid State Machine Execution Input: 'Unrecognized token'");
  }
}

/** A signature must be there, for this service and region; whether it is right needs the secret key. */
function checkSignature(authorization: string | undefined): void {
  if (authorization === undefined)
    throw new ServiceError("MissingAuthenticationTokenException", "Missing Authentication Token", 403);
  if (!authorization.includes(`/${REGION}/states/aws4_request`))
    throw new ServiceError("InvalidSignatureException", `Credential should be scoped to a valid region.`, 403);
}

const named = z.object({ name: z.string().optional(), executionArn: z.string().optional() });

function subject(body: unknown): string {
  const { name, executionArn } = named.parse(body);
  return name ?? executionArn?.slice(EXECUTION_PREFIX.length) ?? "";
}

function writeToken(shown: number, from: number): string {
  return Buffer.from(JSON.stringify([shown, from])).toString("base64");
}

function readToken(token: string): [number, number] {
  return z.tuple([z.number(), z.number()]).parse(JSON.parse(Buffer.from(token, "base64").toString()));
}

function faultOf(error: unknown): Fault {
  if (error instanceof ServiceError) return error.fault;
  return { type: "ValidationException", message: String(error) };
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/x-amz-json-1.0", "x-amzn-requestid": "test" });
  response.end(typeof body === "string" ? body : JSON.stringify(body));
}
