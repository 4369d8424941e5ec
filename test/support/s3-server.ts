import crypto from "node:crypto";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { S3ClientConfig } from "@aws-sdk/client-s3";
import S3rver from "s3rver";

/** An S3 over the wire on this machine. */
export interface TestS3Server {
  /** `http://127.0.0.1:PORT`. */
  readonly endpoint: string;
  /** What an S3 client needs to talk to it and to nobody else. */
  readonly configuration: S3ClientConfig;
  /** Makes a new, empty bucket and gives its name. */
  makeBucket(): Promise<string>;
  close(): Promise<void>;
}

/** Starts s3rver in a temporary folder, on a free port of 127.0.0.1. */
export async function startS3Server(): Promise<TestS3Server> {
  const directory = await mkdtemp(join(tmpdir(), "asx-eod-s3-"));
  const restoreCiphers = lendContinuationTokensACipher();
  const server = new S3rver({ address: "127.0.0.1", port: 0, silent: true, directory, vhostBuckets: false });
  const { port } = await server.run();
  const endpoint = `http://127.0.0.1:${port}`;
  let buckets = 0;
  return {
    endpoint,
    configuration: s3Configuration(endpoint),
    async makeBucket() {
      buckets += 1;
      const bucket = `test-bucket-${buckets}`;
      await mkdir(join(directory, bucket));
      return bucket;
    },
    async close() {
      await server.close();
      restoreCiphers();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** A server that answers just what a test wants, faults above all. */
export interface AnsweringServer {
  readonly endpoint: string;
  close(): Promise<void>;
}

/** Starts an HTTP server on a free port of 127.0.0.1. */
export async function startAnsweringServer(answer: RequestListener): Promise<AnsweringServer> {
  const server = createServer(answer);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(0, "127.0.0.1", resolve);
  });
  return { endpoint: endpointOf(server), close: () => closeServer(server) };
}

/** An endpoint on which nobody listens any more. */
export async function closedEndpoint(): Promise<string> {
  const { endpoint, close } = await startAnsweringServer((_, response) => response.end());
  await close();
  return endpoint;
}

/** An S3 client's configuration for an endpoint: no other host, no credentials of this machine. */
export function s3Configuration(endpoint: string): S3ClientConfig {
  return {
    endpoint,
    region: "ap-southeast-2",
    forcePathStyle: true,
    // The only pair of keys that s3rver knows.
    credentials: { accessKeyId: "S3RVER", secretAccessKey: "S3RVER" },
  };
}

/**
 * s3rver makes its continuation tokens with DES, which the OpenSSL of today's Node has no more, so that
 * every listing of more than 1,000 objects would fail. Triple DES with one key three times is the same cipher.
 * @returns what puts Node's own functions back.
 */
function lendContinuationTokensACipher(): () => void {
  const { createCipheriv, createDecipheriv } = crypto;
  Object.assign(crypto, {
    createCipheriv: (algorithm: string, key: Uint8Array, iv: Uint8Array) =>
      algorithm === "des"
        ? createCipheriv("des-ede3-cbc", Buffer.concat([key, key, key]), iv)
        : createCipheriv(algorithm, key, iv),
    createDecipheriv: (algorithm: string, key: Uint8Array, iv: Uint8Array) =>
      algorithm === "des"
        ? createDecipheriv("des-ede3-cbc", Buffer.concat([key, key, key]), iv)
        : createDecipheriv(algorithm, key, iv),
  });
  return () => void Object.assign(crypto, { createCipheriv, createDecipheriv });
}

function endpointOf(server: Server): string {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server does not listen on a port");
  return `http://127.0.0.1:${address.port}`;
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => (error === undefined ? resolve() : reject(error)));
    // A client keeps its connections open for the next request; nothing more will come.
    server.closeAllConnections();
  });
}
