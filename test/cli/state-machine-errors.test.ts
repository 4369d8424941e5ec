import { describe, expect, it } from "vitest";
import { stateMachineError } from "../../cli/state-machine-errors.ts";

/** An error as the SDK's clients throw it, of a class that is not Step Functions' own. */
function answered(name: string, httpStatusCode?: number): Error {
  return Object.assign(new Error("no"), { name, $metadata: { httpStatusCode } });
}

describe("an error of the SDK", () => {
  it.each([
    [answered("ExpiredToken", 400), "cannot ask: ExpiredToken: no (HTTP 400); the AWS credentials have expired"],
    [answered("ExpiredTokenException"), "cannot ask: ExpiredTokenException: no; the AWS credentials have expired"],
    [answered("InvalidClientTokenId", 403), "check the AWS credentials"],
    [answered("UnrecognizedClientException"), "check the AWS credentials"],
    [answered("AccessDenied", 403), "check the AWS credentials"],
    [answered("AccessDeniedException"), "states:StartExecution"],
    [answered("UnauthorizedException", 401), "(HTTP 401); check the ARN given with --state-machine"],
    [Object.assign(new Error("no"), { name: "CredentialsProviderError" }), "check the AWS credentials"],
  ])("%o is refused", (error, message) => {
    const refused = stateMachineError("ask", error);
    expect(refused.name).toBe("StateMachineRefusedError");
    expect(refused.message).toContain(message);
  });

  it.each([
    [answered("ThrottlingException", 400)],
    [answered("TooManyRequestsException", 429)],
    [answered("RequestTimeout", 408)],
    [answered("InternalFailure", 500)],
    [answered("UnauthorizedException")],
    [new TypeError("fetch failed")],
    ["thrown"],
  ])("%o may pass", (error) => {
    const unavailable = stateMachineError("ask", error);
    expect(unavailable.name).toBe("StateMachineUnavailableError");
    expect(unavailable.message).toMatch(/; try again$/);
  });
});
