import { SFNServiceException } from "@aws-sdk/client-sfn";
import { AsxEodError, messageOf } from "../domain/errors.ts";

/** Step Functions throttled, answered with a fault of its own or with nothing usable, or could not be reached. */
export class StateMachineUnavailableError extends AsxEodError {
  override readonly name = "StateMachineUnavailableError";
  readonly kind = "transient";
}

/** Step Functions refused a request, or there were no credentials to make it with. */
export class StateMachineRefusedError extends AsxEodError {
  override readonly name = "StateMachineRefusedError";
  readonly kind = "terminal";
}

/** An execution of the name exists: it has ended, or was started with another input. */
export class ExecutionExistsError extends AsxEodError {
  override readonly name = "ExecutionExistsError";
  readonly kind = "terminal";
}

const CHECK_CREDENTIALS = "check the AWS credentials (AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)";
const SIGN_IN = "the AWS credentials have expired: sign in again";

/** What to do about a refusal, by the error's name. */
const REMEDIES: Readonly<Record<string, string>> = {
  AccessDeniedException:
    "the credentials need states:StartExecution on the state machine, and states:DescribeExecution and states:GetExecutionHistory on its executions",
  ExpiredTokenException: SIGN_IN,
  ExpiredToken: SIGN_IN,
  UnrecognizedClientException: CHECK_CREDENTIALS,
  InvalidSignatureException: `${CHECK_CREDENTIALS} and this machine's clock`,
  MissingAuthenticationTokenException: CHECK_CREDENTIALS,
  InvalidClientTokenId: CHECK_CREDENTIALS,
  StateMachineDoesNotExist: "check the ARN, its region and its account, and that the stack is deployed",
  StateMachineDeleting: "the state machine is being deleted: deploy it again",
  StateMachineTypeNotSupported: "an express state machine keeps no history: only a standard one can be followed",
  ExecutionDoesNotExist: "its record is gone: the service keeps it for 90 days",
  ExecutionLimitExceeded: "too many executions are open: try again when some have ended",
  InvalidArn: "check the ARN given with --state-machine",
};

/** Answers that come with 400, although waiting heals them. */
const THROTTLED = /throttl|TooManyRequests|RequestLimitExceeded|ServiceUnavailable/i;

/** The project's error for one of the SDK: what was tried, what came back, and what to do. */
export function stateMachineError(what: string, cause: unknown): Error {
  const name = cause instanceof Error ? cause.name : "Error";
  const message = `cannot ${what}: ${name}: ${messageOf(cause)}`;
  if (name === "ExecutionAlreadyExists") return new ExecutionExistsError(message, { cause });
  if (/credentials|tokenprovider/i.test(name)) {
    return new StateMachineRefusedError(`${message}; ${CHECK_CREDENTIALS}`, { cause });
  }
  const status = cause instanceof SFNServiceException ? (cause.$metadata.httpStatusCode ?? 0) : 0;
  if (status >= 300 && status < 500 && status !== 408 && status !== 429 && !THROTTLED.test(name)) {
    const remedy = REMEDIES[name] ?? "check the ARN given with --state-machine and your permissions";
    return new StateMachineRefusedError(`${message} (HTTP ${status}); ${remedy}`, { cause });
  }
  return new StateMachineUnavailableError(`${message}; try again`, { cause });
}
