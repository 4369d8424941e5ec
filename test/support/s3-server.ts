import crypto from "node:crypto";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  request,
  type Server,
  type ServerResponse,
} from "node:http";
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

/** Starts s3rver in a temporary folder, on a free port of 127.0.0.1, behind a front that knows conditional writes. */
export async function startS3Server(): Promise<TestS3Server> {
  const directory = await mkdtemp(join(tmpdir(), "asx-eod-s3-"));
  const restoreCiphers = lendContinuationTokensACipher();
  const server = new S3rver({ address: "127.0.0.1", port: 0, silent: true, directory, vhostBuckets: false });
  const { port } = await server.run();
  const front = await startAnsweringServer(conditionalFront(port));
  const { endpoint } = front;
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
      await front.close();
      await server.close();
      restoreCiphers();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/**
 * Passes every request on to s3rver, and puts with a condition only where the condition holds: as S3 does it, 412 where
 * the object is another (or there is one, for If-None-Match: *) and 404 where there is none to match. Requests for
 * one key are answered one after the other.
 */
function conditionalFront(port: number): RequestListener {
  const turns = new Map<string, Promise<void>>();
  return (incoming, response) => {
    const path = incoming.url?.split("?")[0] ?? "/";
    const answer = async (): Promise<void> => {
      const { "if-match": ifMatch, "if-none-match": ifNoneMatch, ...headers } = incoming.headers;
      const isConditional = incoming.method === "PUT" && (ifMatch !== undefined || ifNoneMatch !== undefined);
      if (isConditional && (await exists(port, `/${path.split("/")[1]}`))) {
        const etag = await etagOf(port, path);
        const holds = ifNoneMatch === undefined ? etag === ifMatch : etag === undefined;
        if (!holds) {
          incoming.resume();
          const [status, code] = etag === undefined ? [404, "NoSuchKey"] : [412, "PreconditionFailed"];
          response.writeHead(status, { "content-type": "application/xml" });
          response.end(`<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code></Error>`);
          return;
        }
      }
      await passOn(incoming, response, { port, headers: { ...headers, ...conditionsOfReads(incoming) } });
    };
    const turn = (turns.get(path) ?? Promise.resolve()).then(answer).catch(() => void response.destroy());
    turns.set(path, turn);
  };
}

/** The conditions of a request that is no put are s3rver's to judge. */
function conditionsOfReads({ method, headers }: IncomingMessage): IncomingHttpHeaders {
  if (method === "PUT") return {};
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith("if-")));
}

function passOn(
  incoming: IncomingMessage,
  response: ServerResponse,
  { port, headers }: { port: number; headers: IncomingHttpHeaders },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { host: "127.0.0.1", port, method: incoming.method, path: incoming.url, headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response).once("finish", resolve).once("error", reject);
      },
    );
    outgoing.once("error", reject);
    response.once("close", () => resolve());
    incoming.pipe(outgoing);
  });
}

async function exists(port: number, path: string): Promise<boolean> {
  return (await head(port, path)).statusCode === 200;
}

async function etagOf(port: number, path: string): Promise<string | undefined> {
  const { statusCode, headers } = await head(port, path);
  return statusCode === 200 ? headers.etag : undefined;
}

/** s3rver answers whoever asks without a signature. */
function head(port: number, path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request({ host: "127.0.0.1", port, method: "HEAD", path }, (answer) => resolve(answer.resume()))
      .once("error", reject)
      .end();
  });
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
