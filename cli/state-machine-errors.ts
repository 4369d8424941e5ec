import * as z from "zod";
import { AsxEodError, messageOf } from "../domain/errors.ts";

/** Step Functions throttled, answered with a fault of its own or with nothing usable, or could not be reached. */
export class StateMachineUnavailableError extends AsxEodError {
  override readonly name = "StateMachineUnavailableError";
  readonly kind = "transient";
}

/** A request was refused, by Step Functions or by those who give credentials, or there were none to make it with. */
export class StateMachineRefusedError extends AsxEodError {
  override readonly name = "StateMachineRefusedError";
  readonly kind = "terminal";
}

/** An execution of the name exists: it has ended, or was started with another input. */
export class ExecutionExistsError extends AsxEodError {
  override readonly name = "ExecutionExistsError";
  readonly kind = "terminal";
}

/** No execution has the ARN: there never was one, its record is gone, or it was started a moment ago. */
export class ExecutionMissingError extends AsxEodError {
  override readonly name = "ExecutionMissingError";
  readonly kind = "terminal";
}

const CHECK_CREDENTIALS = "check the AWS credentials (AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)";
const SIGN_IN = "the AWS credentials have expired: sign in again";

/** What to do about a refusal, by the error's name. */
const REMEDIES: Readonly<Record<string, string>> = {
  AccessDenied: CHECK_CREDENTIALS,
  AccessDeniedException:
    "the credentials need states:StartExecution on the state machine, and states:DescribeExecution and states:GetExecutionHistory on its executions",
  ExpiredToken: SIGN_IN,
  ExpiredTokenException: SIGN_IN,
  InvalidClientTokenId: CHECK_CREDENTIALS,
  UnrecognizedClientException: CHECK_CREDENTIALS,
  InvalidSignatureException: `${CHECK_CREDENTIALS} and this machine's clock`,
  StateMachineDoesNotExist: "check the ARN, its region and its account, and that the stack is deployed",
  StateMachineDeleting: "the state machine is being deleted: deploy it again",
  ExecutionLimitExceeded: "too many executions are open: try again when some have ended",
};

/** Answers that come with 400, although waiting heals them. */
const THROTTLED = /throttl|TooManyRequests|RequestLimitExceeded|ServiceUnavailable/i;

/** Those who give credentials (STS, SSO) throw errors of classes of their own, so that the form alone is read. */
const answeredError = z.object({
  name: z.string(),
  $metadata: z.object({ httpStatusCode: z.number().optional() }).optional(),
});

/** The project's error for one of the SDK: what was tried, what came back, and what to do. */
export function stateMachineError(what: string, cause: unknown): Error {
  const { name, $metadata } = answeredError.safeParse(cause).data ?? { name: "Error" };
  const message = `cannot ${what}: ${name}: ${messageOf(cause)}`;
  if (name === "ExecutionAlreadyExists") return new ExecutionExistsError(message, { cause });
  if (name === "ExecutionDoesNotExist") {
    return new ExecutionMissingError(`${message}; the service keeps a record for 90 days`, { cause });
  }
  if (/credentials|tokenprovider/i.test(name)) {
    return new StateMachineRefusedError(`${message}; ${CHECK_CREDENTIALS}`, { cause });
  }
  const status = $metadata?.httpStatusCode ?? 0;
  const isRefused = status >= 300 && status < 500 && status !== 408 && status !== 429 && !THROTTLED.test(name);
  if (isRefused || REMEDIES[name] !== undefined) {
    const remedy = REMEDIES[name] ?? "check the ARN given with --state-machine and your permissions";
    const answer = status === 0 ? "" : ` (HTTP ${status})`;
    return new StateMachineRefusedError(`${message}${answer}; ${remedy}`, { cause });
  }
  return new StateMachineUnavailableError(`${message}; try again`, { cause });
}
