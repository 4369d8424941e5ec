/** Policies and roles, in the form IAM reads. */
import { IamRole } from "@cdktf/provider-aws/lib/iam-role/index.js";
import { IamRolePolicy } from "@cdktf/provider-aws/lib/iam-role-policy/index.js";
import { Construct } from "constructs";
import type { Deployment } from "./deployment.ts";

/** Condition operators, each with keys and their values. */
export type Conditions = Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;

/** One statement of a policy. */
export interface Statement {
  /** Says in letters and digits what it is for. */
  readonly sid: string;
  readonly effect?: "Allow" | "Deny";
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly conditions?: Conditions;
}

/** A policy of what its holder may do. */
export function policy(statements: readonly Statement[]): string {
  return document(statements.map(statementJson));
}

/** A resource's policy that turns away everyone who does not come over TLS. */
export function tlsOnlyPolicy(actions: readonly string[], resources: readonly string[], more: object[] = []): string {
  const denial = statementJson({
    sid: "DenyWithoutTls",
    effect: "Deny",
    actions,
    resources,
    conditions: { Bool: { "aws:SecureTransport": "false" } },
  });
  return document([{ ...denial, Principal: "*" }, ...more]);
}

/** A statement that lets an AWS service act on a resource for one source. */
export function serviceStatement(service: string, sourceArn: string, { sid, actions, resources }: Statement): object {
  const conditions = { ArnEquals: { "aws:SourceArn": sourceArn } };
  return { ...statementJson({ sid, actions, resources, conditions }), Principal: { Service: service } };
}

function statementJson({ sid, effect = "Allow", actions, resources, conditions }: Statement) {
  const statement = { Sid: sid, Effect: effect, Action: actions, Resource: resources };
  return conditions === undefined ? statement : { ...statement, Condition: conditions };
}

function document(statements: readonly object[]): string {
  return JSON.stringify({ Version: "2012-10-17", Statement: statements });
}

/** What a role is for. */
export interface ServiceRoleOptions {
  /** The role's name, without project and stage. */
  readonly name: string;
  readonly description: string;
  /** The AWS service that takes the role on. */
  readonly service: string;
  /** The one resource for which the service may do so, where the service tells it. */
  readonly sourceArn?: string;
  /** All that the role may do. */
  readonly statements: readonly Statement[];
}

/** A role that one AWS service takes on, with one policy of its own. */
export class ServiceRole extends Construct {
  readonly arn: string;
  /** The policy that must be there before the role is used. */
  readonly policy: IamRolePolicy;

  constructor(scope: Construct, id: string, deployment: Deployment, options: ServiceRoleOptions) {
    super(scope, id);
    const { config, accountId } = deployment;
    const trust = {
      Sid: "Assume",
      Effect: "Allow",
      Action: "sts:AssumeRole",
      Principal: { Service: options.service },
      ...(options.sourceArn !== undefined && {
        Condition: {
          StringEquals: { "aws:SourceAccount": accountId },
          ArnEquals: { "aws:SourceArn": options.sourceArn },
        },
      }),
    };
    const role = new IamRole(this, "role", {
      name: deployment.name(options.name),
      description: options.description,
      assumeRolePolicy: document([trust]),
      ...(config.permissionsBoundaryArn !== undefined && { permissionsBoundary: config.permissionsBoundaryArn }),
    });
    this.arn = role.arn;
    this.policy = new IamRolePolicy(this, "policy", {
      name: "permissions",
      role: role.name,
      policy: policy(options.statements),
    });
  }
}
