import { AthenaNamedQuery } from "@cdktf/provider-aws/lib/athena-named-query/index.js";
import { AthenaWorkgroup } from "@cdktf/provider-aws/lib/athena-workgroup/index.js";
import { GlueCatalogDatabase } from "@cdktf/provider-aws/lib/glue-catalog-database/index.js";
import { Construct } from "constructs";
import type { Deployment } from "./deployment.ts";
import { PrivateBucket } from "./private-bucket.ts";
import { createTables } from "./tables.ts";

/** Days that the results of queries are kept. */
const RESULT_DAYS = 30;

/** What one query may scan, in bytes, before it is stopped: 1 GiB, half a US cent. */
const LARGEST_SCAN_BYTES = 1024 ** 3;

/** A place to query what is stored, with SQL and no crawler: tables over the files as they lie. */
export class Query extends Construct {
  readonly workgroup: string;
  readonly database: string;

  constructor(scope: Construct, id: string, deployment: Deployment, data: PrivateBucket) {
    super(scope, id);
    const { stage } = deployment.config;
    const results = new PrivateBucket(this, "results", deployment, {
      name: "athena",
      protected: false, // results can be had again
      lifecycle: [
        {
          id: "expire-results",
          status: "Enabled",
          filter: [{ prefix: "" }],
          expiration: [{ days: RESULT_DAYS }],
          noncurrentVersionExpiration: [{ noncurrentDays: 1 }],
        },
      ],
    });
    const workgroup = new AthenaWorkgroup(this, "workgroup", {
      name: deployment.name("queries"),
      description: "Queries of the stored bars, bounded in what they scan",
      forceDestroy: true, // the history of queries is nothing to keep
      configuration: {
        bytesScannedCutoffPerQuery: LARGEST_SCAN_BYTES,
        enforceWorkgroupConfiguration: true,
        publishCloudwatchMetricsEnabled: false,
        resultConfiguration: {
          outputLocation: `s3://${results.bucket}/results/`,
          encryptionConfiguration: { encryptionOption: "SSE_S3" },
        },
      },
    });
    const database = new GlueCatalogDatabase(this, "database", {
      // Athena knows letters, digits and underscores only.
      name: `asx_eod_${stage.replaceAll("-", "_")}`,
      description: "Daily bars of ASX-listed stocks",
    });
    const tables = createTables(this, database.name, `s3://${data.bucket}/`);
    for (const { id: queryId, name, query } of EXAMPLES) {
      new AthenaNamedQuery(this, queryId, {
        name,
        workgroup: workgroup.name,
        database: database.name,
        query,
        dependsOn: tables,
      });
    }
    this.workgroup = workgroup.name;
    this.database = database.name;
  }
}

/** Queries that stand ready in Athena's console. */
const EXAMPLES = [
  {
    id: "one-symbol",
    name: "Bars of one symbol",
    query: "SELECT * FROM bars WHERE symbol = 'BHP' ORDER BY date DESC LIMIT 250",
  },
  {
    id: "one-symbol-history",
    name: "Bars of one symbol and its history, the newest fetch of each date",
    query:
      "SELECT date, max_by(close, fetch_timestamp) AS close, max_by(volume, fetch_timestamp) AS volume " +
      "FROM (SELECT * FROM bars UNION ALL SELECT * FROM history) WHERE symbol = 'BHP' GROUP BY date ORDER BY date DESC",
  },
  {
    id: "bars-a-day",
    name: "Bars a day",
    query: "SELECT date, count(*) AS bars, sum(close * volume) AS turnover FROM bars GROUP BY date ORDER BY date DESC",
  },
  {
    id: "bars-by-industry",
    name: "Bars of the newest day by industry group",
    query:
      "SELECT s.industry_group, count(*) AS bars FROM bars b JOIN symbols s ON s.symbol = b.symbol " +
      "AND s.\"$path\" LIKE '%/' || cast(b.date AS varchar) || '-symbols.csv' " +
      "WHERE b.date = (SELECT max(date) FROM bars) GROUP BY s.industry_group ORDER BY bars DESC",
  },
] as const;
