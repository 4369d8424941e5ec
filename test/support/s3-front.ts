import { type IncomingMessage, request } from "node:http";
import type { S3ClientConfig } from "@aws-sdk/client-s3";
import { s3Configuration, startAnsweringServer } from "./s3-server.ts";

/** A server before an S3 server that sees every request. */
export interface S3Front {
  readonly endpoint: string;
  readonly configuration: S3ClientConfig;
  /** `GET raw-data/…`, `LIST raw-data/`: method and key of each request in the order they came, without the bucket. */
  readonly requests: string[];
  close(): Promise<void>;
}

/**
 * Starts a server that passes requests on to an S3 server's endpoint.
 * @param before is awaited ahead of each request; where it gives a status, that is the answer.
 */
export async function startS3Front(
  endpoint: string,
  before: (request: string) => Promise<number | undefined> = async () => undefined,
): Promise<S3Front> {
  const requests: string[] = [];
  const { port } = new URL(endpoint);
  const front = await startAnsweringServer(async (incoming, response) => {
    const name = nameOf(incoming);
    requests.push(name);
    const status = await before(name);
    if (status !== undefined) {
      response.writeHead(status, { "content-type": "application/xml" }).end("<Error><Code>Hindered</Code></Error>");
      return;
    }
    const { method, url: path, headers } = incoming;
    const outgoing = request({ host: "127.0.0.1", port, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    outgoing.once("error", () => response.destroy());
    incoming.pipe(outgoing);
  });
  return { ...front, configuration: { ...s3Configuration(front.endpoint), maxAttempts: 1 }, requests };
}

function nameOf({ method, url }: IncomingMessage): string {
  const { pathname, searchParams } = new URL(url ?? "", "http://127.0.0.1");
  if (searchParams.has("list-type")) return `LIST ${searchParams.get("prefix") ?? ""}`;
  return `${method} ${pathname.split("/").slice(2).join("/")}`;
}
