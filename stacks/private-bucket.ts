import { S3Bucket } from "@cdktf/provider-aws/lib/s3-bucket/index.js";
import {
  S3BucketLifecycleConfiguration,
  type S3BucketLifecycleConfigurationRule,
} from "@cdktf/provider-aws/lib/s3-bucket-lifecycle-configuration/index.js";
import { S3BucketOwnershipControls } from "@cdktf/provider-aws/lib/s3-bucket-ownership-controls/index.js";
import { S3BucketPolicy } from "@cdktf/provider-aws/lib/s3-bucket-policy/index.js";
import { S3BucketPublicAccessBlock } from "@cdktf/provider-aws/lib/s3-bucket-public-access-block/index.js";
import { S3BucketServerSideEncryptionConfigurationA } from "@cdktf/provider-aws/lib/s3-bucket-server-side-encryption-configuration/index.js";
import { S3BucketVersioningA } from "@cdktf/provider-aws/lib/s3-bucket-versioning/index.js";
import { Construct } from "constructs";
import type { Deployment } from "./deployment.ts";
import { tlsOnlyPolicy } from "./policy.ts";

/** Parts of an upload that broke off are paid for until they are removed. */
const ABORTED_UPLOAD_DAYS = 3;

/** How a bucket is kept. */
export interface PrivateBucketOptions {
  /** The bucket's name, without project, stage and account. */
  readonly name: string;
  /** Refuses to be destroyed, and to be emptied by a destroy. */
  readonly protected: boolean;
  readonly lifecycle: readonly S3BucketLifecycleConfigurationRule[];
}

/** A bucket that nobody outside the account can see, encrypted, versioned, and reached over TLS only. */
export class PrivateBucket extends Construct {
  readonly bucket: string;
  readonly arn: string;

  constructor(scope: Construct, id: string, deployment: Deployment, options: PrivateBucketOptions) {
    super(scope, id);
    const bucket = new S3Bucket(this, "bucket", {
      bucket: `${deployment.name(options.name)}-${deployment.accountId}`,
      forceDestroy: !options.protected,
      ...(options.protected && { lifecycle: { preventDestroy: true } }),
    });
    this.bucket = bucket.bucket;
    this.arn = bucket.arn;
    const access = new S3BucketPublicAccessBlock(this, "public-access-block", {
      bucket: bucket.id,
      blockPublicAcls: true,
      blockPublicPolicy: true,
      ignorePublicAcls: true,
      restrictPublicBuckets: true,
    });
    new S3BucketOwnershipControls(this, "ownership", {
      bucket: bucket.id,
      rule: { objectOwnership: "BucketOwnerEnforced" },
    });
    new S3BucketServerSideEncryptionConfigurationA(this, "encryption", {
      bucket: bucket.id,
      // S3's own keys cost nothing; a key of KMS would cost more than everything else here.
      rule: [{ applyServerSideEncryptionByDefault: { sseAlgorithm: "AES256" } }],
    });
    const versioning = new S3BucketVersioningA(this, "versioning", {
      bucket: bucket.id,
      versioningConfiguration: { status: "Enabled" },
    });
    new S3BucketPolicy(this, "policy", {
      bucket: bucket.id,
      policy: tlsOnlyPolicy(["s3:*"], [bucket.arn, `${bucket.arn}/*`]),
      dependsOn: [access], // S3 refuses two changes of a bucket's access at the same time
    });
    new S3BucketLifecycleConfiguration(this, "lifecycle", {
      bucket: bucket.id,
      rule: [
        {
          id: "remove-aborted-uploads",
          status: "Enabled",
          filter: [{ prefix: "" }],
          abortIncompleteMultipartUpload: [{ daysAfterInitiation: ABORTED_UPLOAD_DAYS }],
        },
        ...options.lifecycle,
      ],
      dependsOn: [versioning], // rules for old versions need versions
    });
  }
}
