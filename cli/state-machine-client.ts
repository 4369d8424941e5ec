import {
  DescribeExecutionCommand,
  GetExecutionHistoryCommand,
  SFNClient,
  type SFNClientConfig,
  StartExecutionCommand,
} from "@aws-sdk/client-sfn";
import * as z from "zod";
import { type RetryContext, type RetryPolicy, withRetry } from "../lambdas/runtime/retry.ts";
import type { Environment } from "../lambdas/runtime/runtime.ts";
import { type HistoryEvent, historyEvent } from "./execution-history.ts";
import type { StateMachineArn } from "./state-machine-arn.ts";
import { StateMachineUnavailableError, stateMachineError } from "./state-machine-errors.ts";

/** An execution that runs. */
export interface StartedExecution {
  readonly executionArn: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
}

/** How an execution stands. */
export type ExecutionState = z.infer<typeof executionState>;

/** What is asked of Step Functions. Every request is tried again while its trouble is transient. */
export interface StateMachineClient {
  /**
   * Starts an execution, or gives the running one of the same name and input.
   * @throws ExecutionExistsError where one of the name has ended, or runs with another input.
   */
  start(name: string, input: unknown): Promise<StartedExecution>;
  /** @throws ExecutionMissingError where there is none. */
  describe(executionArn: string): Promise<ExecutionState>;
  /** The events after the one with an id (0 for all), oldest first. What cannot be read as an event is left out. */
  eventsAfter(executionArn: string, id: number): Promise<HistoryEvent[]>;
}

/** The SDK waits for ever by default. Its own retries would sleep by a clock that is not ours. */
const CLIENT_DEFAULTS = {
  maxAttempts: 1,
  requestHandler: { connectionTimeout: 2_000, requestTimeout: 20_000, throwOnRequestTimeout: true },
} satisfies SFNClientConfig;

const RETRIES: RetryPolicy = { attempts: 8, firstDelayMs: 1_000, longestDelayMs: 30_000, longestRetryAfterMs: 0 };

/** Events a page: mostly more than happens between two looks, and few enough that little is sent twice. */
const PAGE_EVENTS = 40;

const milliseconds = z.date().transform((date) => date.getTime());

const startAnswer = z.object({ executionArn: z.string(), startDate: milliseconds });

const executionState = z.object({
  status: z.enum(["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]),
  startDate: milliseconds,
  stopDate: milliseconds.optional(),
  input: z.string().optional(),
  output: z.string().optional(),
  error: z.string().optional(),
  cause: z.string().optional(),
});

const historyPage = z.object({ events: z.array(z.unknown()), nextToken: z.string().optional() });

/** The Step Functions endpoint that environment variables name, as the AWS SDK knows them. */
function endpointOf(environment: Environment): string | undefined {
  return environment["AWS_ENDPOINT_URL_SFN"] ?? environment["AWS_ENDPOINT_URL"];
}

/** A client for the region of a state machine. Credentials are the AWS SDK's usual ones. */
export function createStateMachineClient(
  machine: StateMachineArn,
  environment: Environment,
  retryContext: RetryContext,
): StateMachineClient {
  const endpoint = endpointOf(environment);
  const client = new SFNClient({
    ...CLIENT_DEFAULTS,
    region: machine.region,
    ...(endpoint !== undefined && { endpoint }),
  });

  /** Sends a request until it is answered, and reads of the answer what is used of it. */
  function ask<Answer>(what: string, form: z.ZodType<Answer>, send: () => Promise<unknown>): Promise<Answer> {
    const asked = endpoint === undefined ? what : `${what} at ${endpoint}`;
    const tryOnce = async (): Promise<Answer> => {
      const answer = await send().catch((error: unknown) => {
        throw stateMachineError(asked, error);
      });
      const parsed = form.safeParse(answer);
      if (parsed.success) return parsed.data;
      throw new StateMachineUnavailableError(
        `cannot ${asked}: the answer is not of Step Functions' form (${z.prettifyError(parsed.error)}); try again`,
        { cause: parsed.error },
      );
    };
    return withRetry(tryOnce, RETRIES, retryContext);
  }

  return {
    async start(name, input) {
      const request = { stateMachineArn: machine.arn, name, input: JSON.stringify(input) };
      const send = () => client.send(new StartExecutionCommand(request));
      const { executionArn, startDate } = await ask(`start ${name} of ${machine.arn}`, startAnswer, send);
      return { executionArn, startedAt: startDate };
    },

    describe: (executionArn) =>
      ask(`describe ${executionArn}`, executionState, () =>
        client.send(new DescribeExecutionCommand({ executionArn })),
      ),

    async eventsAfter(executionArn, id) {
      const request = { executionArn, reverseOrder: true, maxResults: PAGE_EVENTS };
      const events = new Map<number, HistoryEvent>();
      const seenTokens = new Set<string>();
      let nextToken: string | undefined;
      for (;;) {
        const token = nextToken;
        const send = () => client.send(new GetExecutionHistoryCommand({ ...request, nextToken: token }));
        const page = await ask(`read the history of ${executionArn}`, historyPage, send);
        const parsed = page.events.flatMap((event) => historyEvent.safeParse(event).data ?? []);
        for (const event of parsed) if (event.id > id) events.set(event.id, event);
        nextToken = page.nextToken;
        if (nextToken === undefined || parsed.some((event) => event.id <= id)) {
          return [...events.values()].sort((left, right) => left.id - right.id);
        }
        if (seenTokens.has(nextToken)) {
          throw new StateMachineUnavailableError(
            `the history of ${executionArn} stopped after ${events.size} events; try again`,
          );
        }
        seenTokens.add(nextToken);
      }
    },
  };
}
