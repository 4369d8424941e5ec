import type { Construct } from "constructs";
import { rawDataFolder } from "../domain/object-keys.ts";
import type { Deployment } from "./deployment.ts";
import { PrivateBucket } from "./private-bucket.ts";

/** Days after which raw data is seldom read. Infrequent access bills 30 days at least. */
const SELDOM_READ_DAYS = 90;

/**
 * Infrequent access bills every object as 128 KiB at least: below that it costs more, not less. Batch files of the
 * default size are some 18 kB and stay where they are; bigger ones move.
 */
const SMALLEST_WORTH_MOVING_BYTES = 128 * 1024;

/** The bucket that holds everything the system stores. */
export function createDataBucket(scope: Construct, deployment: Deployment): PrivateBucket {
  const { protectData, retentionDays } = deployment.config;
  return new PrivateBucket(scope, "data", deployment, {
    name: "data",
    protected: protectData,
    lifecycle: [
      {
        id: "expire-old-versions",
        status: "Enabled",
        filter: [{ prefix: "" }],
        noncurrentVersionExpiration: [{ noncurrentDays: retentionDays }],
        expiration: [{ expiredObjectDeleteMarker: true }],
      },
      {
        id: "move-older-raw-data",
        status: "Enabled",
        filter: [{ and: [{ prefix: rawDataFolder, objectSizeGreaterThan: SMALLEST_WORTH_MOVING_BYTES }] }],
        transition: [{ days: SELDOM_READ_DAYS, storageClass: "STANDARD_IA" }],
      },
    ],
  });
}
