/** The little of s3rver (which has no types) that the tests use. */
declare module "s3rver" {
  import type { AddressInfo } from "node:net";

  interface Options {
    readonly address: string;
    readonly port: number;
    readonly silent: boolean;
    /** Where buckets lie: one folder a bucket. */
    readonly directory: string;
    readonly vhostBuckets: boolean;
  }

  export default class S3rver {
    constructor(options: Options);
    run(): Promise<AddressInfo>;
    close(): Promise<void>;
  }
}
