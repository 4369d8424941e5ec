import { DataAwsCallerIdentity } from "@cdktf/provider-aws/lib/data-aws-caller-identity/index.js";
import { DataAwsPartition } from "@cdktf/provider-aws/lib/data-aws-partition/index.js";
import type { Construct } from "constructs";
import type { DeploymentConfig } from "./config.ts";

/** What every part of a stack needs to know of the whole: its settings, its names and where it is. */
export interface Deployment {
  readonly config: DeploymentConfig;
  /** Id of the account, known when it is deployed. */
  readonly accountId: string;
  /** The full name of a resource: `asx-eod-prod-NAME`. */
  name(name: string): string;
  /** The ARN of a regional resource of this account, for where the resource itself cannot be asked. */
  arn(service: string, resource: string): string;
}

/** Describes a deployment. The account and the partition are looked up when it is deployed: no credentials are needed before. */
export function describeDeployment(scope: Construct, config: DeploymentConfig): Deployment {
  const { accountId } = new DataAwsCallerIdentity(scope, "account");
  const { partition } = new DataAwsPartition(scope, "partition");
  return {
    config,
    accountId,
    name: (name) => `asx-eod-${config.stage}-${name}`,
    arn: (service, resource) => `arn:${partition}:${service}:${config.region}:${accountId}:${resource}`,
  };
}
