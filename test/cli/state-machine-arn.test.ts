import { describe, expect, it } from "vitest";
import { consoleAddress, executionArn, executionName, stateMachineArgument } from "../../cli/state-machine-arn.ts";

describe("the names of an execution", () => {
  it("is its date, or its date and an instant in UTC", () => {
    expect(executionName("2024-05-31")).toBe("run-2024-05-31");
    expect(executionName("2024-05-31", Date.parse("2024-06-03T19:30:00.999+10:00"))).toBe(
      "run-2024-05-31-20240603T093000Z",
    );
  });

  it.each([
    ["aws", "ap-southeast-2", "ap-southeast-2.console.aws.amazon.com"],
    ["aws-cn", "cn-north-1", "cn-north-1.console.amazonaws.cn"],
    ["aws-us-gov", "us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"],
  ])("are built from an ARN of %s", (partition, region, host) => {
    const machine = stateMachineArgument(`arn:${partition}:states:${region}:123456789012:stateMachine:asx_eod.daily-1`);
    const execution = executionArn(machine, "run-2024-05-31");
    expect(machine.region).toBe(region);
    expect(execution).toBe(`arn:${partition}:states:${region}:123456789012:execution:asx_eod.daily-1:run-2024-05-31`);
    expect(consoleAddress(machine, execution)).toBe(
      `https://${host}/states/home?region=${region}#/v2/executions/details/${execution}`,
    );
  });
});
