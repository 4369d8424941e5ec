import { CloudwatchEventRule } from "@cdktf/provider-aws/lib/cloudwatch-event-rule/index.js";
import { CloudwatchEventTarget } from "@cdktf/provider-aws/lib/cloudwatch-event-target/index.js";
import { SnsTopic } from "@cdktf/provider-aws/lib/sns-topic/index.js";
import { SnsTopicPolicy } from "@cdktf/provider-aws/lib/sns-topic-policy/index.js";
import { SnsTopicSubscription } from "@cdktf/provider-aws/lib/sns-topic-subscription/index.js";
import { SqsQueue } from "@cdktf/provider-aws/lib/sqs-queue/index.js";
import { SqsQueuePolicy } from "@cdktf/provider-aws/lib/sqs-queue-policy/index.js";
import { Construct } from "constructs";
import { fillAlarmDefinition } from "../state-machines/alarm.ts";
import type { Deployment } from "./deployment.ts";
import { ServiceRole, type Statement, serviceStatement, tlsOnlyPolicy } from "./policy.ts";
import { Workflow } from "./workflow.ts";

/** Longest that a queue can keep a message: 14 days. */
const KEPT_SECONDS = 14 * 86_400;

/**
 * The topic that people are told through, and the queue of what could not be delivered.
 *
 * The topic is encrypted with AWS's own key of SNS, which costs nothing; a key of our own would cost
 * more than everything else together. AWS's own key lets the roles of the account publish and refuses
 * services: an alarm that named the topic as its action would fail unseen. So alarms go the way of
 * events: EventBridge hears every change of an alarm and starts a state machine whose role publishes it.
 */
export class Notifications extends Construct {
  readonly topicArn: string;
  readonly deadLetters: SqsQueue;
  readonly #deployment: Deployment;

  constructor(scope: Construct, id: string, deployment: Deployment) {
    super(scope, id);
    this.#deployment = deployment;
    const { alertEmail } = deployment.config;
    const topic = new SnsTopic(this, "topic", {
      name: deployment.name("notifications"),
      displayName: `asx-eod ${deployment.config.stage}`,
      kmsMasterKeyId: "alias/aws/sns",
    });
    new SnsTopicPolicy(this, "topic-policy", {
      arn: topic.arn,
      policy: tlsOnlyPolicy(["sns:Publish"], [topic.arn]),
    });
    if (alertEmail !== undefined) {
      new SnsTopicSubscription(this, "email", { topicArn: topic.arn, protocol: "email", endpoint: alertEmail });
    }
    this.topicArn = topic.arn;
    this.deadLetters = new SqsQueue(this, "dead-letters", {
      name: deployment.name("dead-letters"),
      messageRetentionSeconds: KEPT_SECONDS,
      sqsManagedSseEnabled: true,
    });
  }

  /** What a role needs to publish. */
  get publishing(): Statement {
    return { sid: "Notify", actions: ["sns:Publish"], resources: [this.topicArn] };
  }

  /** Publishes every alarm of those that goes off. Called once, with all of them. */
  publishAlarms(alarmArns: readonly string[]): void {
    const deployment = this.#deployment;
    const ruleName = deployment.name("alarms");
    const machine = new Workflow(this, "publish", deployment, {
      name: "alarm-publisher",
      type: "EXPRESS",
      definition: fillAlarmDefinition({ topicArn: this.topicArn, deadLettersUrl: this.deadLetters.url }),
      statements: [
        this.publishing,
        { sid: "KeepLostAlarms", actions: ["sqs:SendMessage"], resources: [this.deadLetters.arn] },
      ],
    });
    const role = new ServiceRole(this, "alarm-role", deployment, {
      name: "alarm-events",
      description: "Lets EventBridge start the publishing of an alarm",
      service: "events.amazonaws.com",
      sourceArn: deployment.arn("events", `rule/${ruleName}`),
      statements: [{ sid: "StartPublishing", actions: ["states:StartExecution"], resources: [machine.arn] }],
    });
    const rule = new CloudwatchEventRule(this, "alarms", {
      name: ruleName,
      description: "An alarm of this deployment went off",
      eventPattern: JSON.stringify({
        source: ["aws.cloudwatch"],
        "detail-type": ["CloudWatch Alarm State Change"],
        resources: alarmArns,
        detail: { state: { value: ["ALARM"] } },
      }),
    });
    new CloudwatchEventTarget(this, "alarm-target", {
      rule: rule.name,
      arn: machine.arn,
      roleArn: role.arn,
      deadLetterConfig: { arn: this.deadLetters.arn },
      retryPolicy: { maximumEventAgeInSeconds: 3_600, maximumRetryAttempts: 10 },
      dependsOn: [role.policy],
    });
    new SqsQueuePolicy(this, "dead-letters-policy", {
      queueUrl: this.deadLetters.url,
      policy: tlsOnlyPolicy(
        ["sqs:*"],
        [this.deadLetters.arn],
        [
          serviceStatement("events.amazonaws.com", rule.arn, {
            sid: "KeepLostAlarms",
            actions: ["sqs:SendMessage"],
            resources: [this.deadLetters.arn],
          }),
        ],
      ),
    });
  }
}
