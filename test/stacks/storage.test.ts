import { describe, expect, it } from "vitest";
import * as z from "zod";
import { synthesiseStack } from "../support/synthesised-stack.ts";

const stack = synthesiseStack();
const unprotected = synthesiseStack({
  ASX_EOD_STAGE: "dev",
  ASX_EOD_PROTECT_DATA: "false",
  ASX_EOD_RETENTION_DAYS: "7",
});

describe.each(["data", "query/results"])("the bucket %s", (path) => {
  const bucket = { bucket: `<aws_s3_bucket ${path}/bucket id>` };

  it("is closed to the public", () => {
    expect(stack.one("aws_s3_bucket_public_access_block", `${path}/public-access-block`)).toMatchObject({
      ...bucket,
      block_public_acls: true,
      block_public_policy: true,
      ignore_public_acls: true,
      restrict_public_buckets: true,
    });
    expect(stack.one("aws_s3_bucket_ownership_controls", `${path}/ownership`)).toMatchObject({
      ...bucket,
      rule: { object_ownership: "BucketOwnerEnforced" },
    });
  });

  it("is encrypted and keeps old versions", () => {
    expect(stack.one("aws_s3_bucket_server_side_encryption_configuration", `${path}/encryption`)).toMatchObject({
      ...bucket,
      rule: [{ apply_server_side_encryption_by_default: { sse_algorithm: "AES256" } }],
    });
    expect(stack.one("aws_s3_bucket_versioning", `${path}/versioning`)).toMatchObject({
      ...bucket,
      versioning_configuration: { status: "Enabled" },
    });
  });

  it("has a name that holds project, stage and account", () => {
    expect(stack.one("aws_s3_bucket", `${path}/bucket`)["bucket"]).toMatch(/^asx-eod-prod-(data|athena)-<account_id>$/);
    const longest = `asx-eod-${"x".repeat(12)}-athena-123456789012`;
    expect(longest.length).toBeLessThanOrEqual(63);
  });

  it("removes the parts of uploads that broke off", () => {
    expect(lifecycle(path)).toContainEqual(
      expect.objectContaining({
        status: "Enabled",
        filter: [{ prefix: "" }],
        abort_incomplete_multipart_upload: [{ days_after_initiation: 3 }],
      }),
    );
  });

  function lifecycle(of: string): unknown {
    return stack.one("aws_s3_bucket_lifecycle_configuration", `${of}/lifecycle`)["rule"];
  }
});

describe("the bucket of the data", () => {
  const rulesOf = (of: typeof stack) => of.one("aws_s3_bucket_lifecycle_configuration", "data/lifecycle")["rule"];

  it("expires versions that were replaced, after the days that are set, and no current one", () => {
    const expiry = {
      filter: [{ prefix: "" }],
      status: "Enabled",
      expiration: [{ expired_object_delete_marker: true }],
    };
    expect(rulesOf(stack)).toContainEqual({
      id: "expire-old-versions",
      ...expiry,
      noncurrent_version_expiration: [{ noncurrent_days: 90 }],
    });
    expect(rulesOf(unprotected)).toContainEqual({
      id: "expire-old-versions",
      ...expiry,
      noncurrent_version_expiration: [{ noncurrent_days: 7 }],
    });
  });

  it("moves older raw data to infrequent access, where an object is big enough for that to cost less", () => {
    expect(rulesOf(stack)).toContainEqual({
      id: "move-older-raw-data",
      status: "Enabled",
      filter: [{ and: [{ prefix: "raw-data/", object_size_greater_than: 131_072 }] }],
      transition: [{ days: 90, storage_class: "STANDARD_IA" }],
    });
  });

  it("expires what a backfill has left behind after a fortnight, with its old versions, and nothing else that is current", () => {
    expect(rulesOf(stack)).toContainEqual({
      id: "expire-pending-history",
      status: "Enabled",
      filter: [{ prefix: "pending/" }],
      expiration: [{ days: 14 }],
      noncurrent_version_expiration: [{ noncurrent_days: 1 }],
    });
    const form = z.array(
      z.object({
        filter: z.array(z.object({ prefix: z.string().optional() })),
        expiration: z.array(z.object({ days: z.number().optional() })).optional(),
      }),
    );
    const expiring = form.parse(rulesOf(stack)).filter(({ expiration }) => expiration?.[0]?.days !== undefined);
    expect(expiring.map(({ filter }) => filter)).toEqual([[{ prefix: "pending/" }]]);
  });

  it("is safe from a destroy, unless the stage says otherwise", () => {
    expect(stack.one("aws_s3_bucket", "data/bucket")).toMatchObject({
      force_destroy: false,
      lifecycle: { prevent_destroy: true },
    });
    const dev = unprotected.one("aws_s3_bucket", "data/bucket");
    expect(dev).toMatchObject({ force_destroy: true });
    expect(dev).not.toHaveProperty("lifecycle");
  });
});
