import { CloudwatchLogGroup } from "@cdktf/provider-aws/lib/cloudwatch-log-group/index.js";
import { SfnStateMachine } from "@cdktf/provider-aws/lib/sfn-state-machine/index.js";
import { Construct } from "constructs";
import type { StateMachineJson } from "../state-machines/definition.ts";
import type { Deployment } from "./deployment.ts";
import { ServiceRole, type Statement } from "./policy.ts";

/** What a state machine is. */
export interface WorkflowOptions {
  /** The machine's name, without project and stage. */
  readonly name: string;
  /** Express machines are cheap and short; their executions leave logs and no history. */
  readonly type: "STANDARD" | "EXPRESS";
  /** Its definition with every placeholder filled. */
  readonly definition: StateMachineJson;
  /** What its states do, besides logging and tracing. */
  readonly statements: readonly Statement[];
}

/** A state machine with its log group and its role. */
export class Workflow extends Construct {
  readonly arn: string;

  constructor(scope: Construct, id: string, deployment: Deployment, options: WorkflowOptions) {
    super(scope, id);
    const name = deployment.name(options.name);
    const logGroup = new CloudwatchLogGroup(this, "logs", {
      // Under this prefix the policy of log deliveries has no length to run out of.
      name: `/aws/vendedlogs/states/${name}`,
      retentionInDays: deployment.config.logRetentionDays,
    });
    const role = new ServiceRole(this, "role", deployment, {
      name: options.name,
      description: `What the state machine ${name} may do`,
      service: "states.amazonaws.com",
      sourceArn: deployment.arn("states", `stateMachine:${name}`),
      statements: [...options.statements, ...OBSERVING],
    });
    const machine = new SfnStateMachine(this, "machine", {
      name,
      type: options.type,
      roleArn: role.arn,
      definition: JSON.stringify(options.definition),
      loggingConfiguration: {
        level: "ALL",
        // Symbols and counts: small, no secrets, and all there is of an Express execution.
        includeExecutionData: true,
        logDestination: `${logGroup.arn}:*`,
      },
      tracingConfiguration: { enabled: true },
      dependsOn: [role.policy],
    });
    this.arn = machine.arn;
  }
}

/** Log deliveries and traces have no ARN to name (Step Functions developer guide, logging and X-Ray). */
const OBSERVING: readonly Statement[] = [
  {
    sid: "DeliverLogs",
    actions: [
      "logs:CreateLogDelivery",
      "logs:GetLogDelivery",
      "logs:UpdateLogDelivery",
      "logs:DeleteLogDelivery",
      "logs:ListLogDeliveries",
      "logs:PutResourcePolicy",
      "logs:DescribeResourcePolicies",
      "logs:DescribeLogGroups",
    ],
    resources: ["*"],
  },
  {
    sid: "WriteTraces",
    actions: ["xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets"],
    resources: ["*"],
  },
];
