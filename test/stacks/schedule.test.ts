import { describe, expect, it } from "vitest";
import { synthesiseStack } from "../support/synthesised-stack.ts";

const stack = synthesiseStack();

describe("the schedule", () => {
  it.each([
    ["daily", "cron(30 19 ? * MON-FRI *)", "{}"],
    ["catch-up", "cron(0 7 ? * TUE-SAT *)", '{"catchUp":true,"fillDays":30}'],
    ["sunday-monday", "cron(0 7 ? * SUN,MON *)", "{}"],
    ["weekend", "cron(30 19 ? * SAT,SUN *)", "{}"],
  ])("%s starts the daily workflow by the clock of Sydney, and loses no start", (name, expression, input) => {
    expect(stack.one("aws_scheduler_schedule", `schedule/${name}`)).toMatchObject({
      name: `asx-eod-prod-${name}`,
      group_name: "<aws_scheduler_schedule_group schedule/group name>",
      state: "ENABLED",
      schedule_expression: expression,
      schedule_expression_timezone: "Australia/Sydney",
      flexible_time_window: { mode: "OFF" },
      target: {
        arn: "<aws_sfn_state_machine daily/machine arn>",
        role_arn: "<aws_iam_role schedule/role/role arn>",
        input,
        retry_policy: { maximum_event_age_in_seconds: 3600, maximum_retry_attempts: 10 },
        dead_letter_config: { arn: "<aws_sqs_queue notifications/dead-letters arn>" },
      },
    });
  });

  it("follows its settings, and can be off", () => {
    const schedules = synthesiseStack({
      ASX_EOD_SCHEDULE: '{"enabled":false,"dailyAt":"20:05","catchUpAt":"06:30"}',
    }).all("aws_scheduler_schedule");
    expect(Object.values(schedules).map((schedule) => [schedule["schedule_expression"], schedule["state"]])).toEqual([
      ["cron(30 6 ? * TUE-SAT *)", "DISABLED"],
      ["cron(5 20 ? * MON-FRI *)", "DISABLED"],
      ["cron(30 6 ? * SUN,MON *)", "DISABLED"],
      ["cron(5 20 ? * SAT,SUN *)", "DISABLED"],
    ]);
  });
});
