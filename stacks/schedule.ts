import { SchedulerSchedule } from "@cdktf/provider-aws/lib/scheduler-schedule/index.js";
import { SchedulerScheduleGroup } from "@cdktf/provider-aws/lib/scheduler-schedule-group/index.js";
import { Construct } from "constructs";
import { EXCHANGE_TIME_ZONE } from "../domain/trading-date.ts";
import type { Deployment } from "./deployment.ts";
import type { Notifications } from "./notifications.ts";
import { ServiceRole } from "./policy.ts";
import type { Workflow } from "./workflow.ts";

/** A start that EventBridge cannot make is tried again for an hour, then kept as a dead letter. */
const RETRIES = { maximumEventAgeInSeconds: 3_600, maximumRetryAttempts: 10 } as const;

/**
 * Starts the daily workflow by the clock of Sydney, on both sides of daylight saving: on weekdays after
 * the close has settled, and on the morning after a weekday to catch up. A run of a day that is whole is cheap: it asks
 * only for what has no final outcome yet, and that is nothing. So it also runs on the evenings of a weekend and the
 * mornings after them: Friday can be mended, and the alarm on missing runs has no weekend to know of.
 */
export class Schedule extends Construct {
  constructor(scope: Construct, id: string, deployment: Deployment, target: Workflow, notifications: Notifications) {
    super(scope, id);
    const { schedule } = deployment.config;
    const groupName = deployment.name("runs");
    const group = new SchedulerScheduleGroup(this, "group", { name: groupName });
    const role = new ServiceRole(this, "role", deployment, {
      name: "scheduler",
      description: "Lets EventBridge Scheduler start the daily workflow",
      service: "scheduler.amazonaws.com",
      sourceArn: deployment.arn("scheduler", `schedule-group/${groupName}`),
      statements: [
        { sid: "StartDailyWorkflow", actions: ["states:StartExecution"], resources: [target.arn] },
        { sid: "KeepLostStarts", actions: ["sqs:SendMessage"], resources: [notifications.deadLetters.arn] },
      ],
    });
    const runs = [
      {
        id: "daily",
        description: "The run of the day, after its prices have settled",
        expression: cron(schedule.dailyAt, "MON-FRI"),
      },
      {
        id: "catch-up",
        description: "Asks for the last five sessions again, and fills what the last 30 days lack",
        expression: cron(schedule.catchUpAt, "TUE-SAT"),
        input: { catchUp: true, fillDays: 30 },
      },
      {
        id: "sunday-monday",
        description: "Fetches what Friday still lacks, on the mornings without a session before them",
        expression: cron(schedule.catchUpAt, "SUN,MON"),
      },
      {
        id: "weekend",
        description: "Fetches what Friday still lacks",
        expression: cron(schedule.dailyAt, "SAT,SUN"),
      },
    ];
    for (const { id: name, description, expression, input = {} } of runs) {
      new SchedulerSchedule(this, name, {
        name: deployment.name(name),
        groupName: group.name,
        description,
        state: schedule.enabled ? "ENABLED" : "DISABLED",
        scheduleExpression: expression,
        scheduleExpressionTimezone: EXCHANGE_TIME_ZONE,
        flexibleTimeWindow: { mode: "OFF" },
        target: {
          arn: target.arn,
          roleArn: role.arn,
          input: JSON.stringify(input), // no date: the last finished trading day
          retryPolicy: RETRIES,
          deadLetterConfig: { arn: notifications.deadLetters.arn },
        },
        dependsOn: [role.policy],
      });
    }
  }
}

/** `19:30` on days of the week as EventBridge Scheduler writes it. */
function cron(time: string, daysOfWeek: string): string {
  const [hour, minute] = time.split(":").map(Number);
  return `cron(${minute} ${hour} ? * ${daysOfWeek} *)`;
}
