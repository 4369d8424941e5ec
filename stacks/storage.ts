import type { Construct } from "constructs";
import { pendingPrefix, rawDataFolder } from "../domain/object-keys.ts";
import type { Deployment } from "./deployment.ts";
import { PrivateBucket } from "./private-bucket.ts";

/** Days after which raw data is seldom read. Infrequent access bills 30 days at least. */
const SELDOM_READ_DAYS = 90;

/**
 * Infrequent access bills every object as 128 KiB at least: below that it costs more, not less. Batch files of the
 * default size are some 18 kB and stay where they are; bigger ones move.
 */
const SMALLEST_WORTH_MOVING_BYTES = 128 * 1024;

/** Days after which a backfill that nobody has taken up again is given up: its leftovers can be fetched again. */
const PENDING_DAYS = 14;

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
      {
        // What is removed from here stands in a file under history/: an old version of it is nothing to keep.
        // Of two rules that expire the same, S3 takes the shorter.
        id: "expire-pending-history",
        status: "Enabled",
        filter: [{ prefix: pendingPrefix }],
        expiration: [{ days: PENDING_DAYS }],
        noncurrentVersionExpiration: [{ noncurrentDays: 1 }],
      },
    ],
  });
}
