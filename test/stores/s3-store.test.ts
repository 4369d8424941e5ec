import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { S3ClientConfig } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { StoreRefusedError, StoreUnavailableError } from "../../domain/errors.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import { createS3Store } from "../../stores/s3-store.ts";
import { describeObjectStore } from "../contracts/object-store.ts";
import {
  closedEndpoint,
  s3Configuration,
  startAnsweringServer,
  startS3Server,
  type TestS3Server,
} from "../support/s3-server.ts";

const BYTES = Uint8Array.of(1, 2, 3);

let server: TestS3Server;

beforeAll(async () => {
  server = await startS3Server();
});

afterAll(() => server.close());

describeObjectStore("a store in a bucket", async () => ({
  store: createS3Store({ bucket: await server.makeBucket(), prefix: "" }, server.configuration),
  close: async () => undefined,
}));

describeObjectStore("a store in a folder of a bucket", async () => ({
  store: createS3Store({ bucket: await server.makeBucket(), prefix: "some/folder" }, server.configuration),
  close: async () => undefined,
}));

/** Every call that reaches S3, so that no fault is tested for one of them only. */
const CALLS: { call: string; send: (store: ObjectStore) => Promise<unknown> }[] = [
  { call: "get", send: (store) => store.get("raw-data/2024-05-31.parquet") },
  { call: "head", send: (store) => store.head("raw-data/2024-05-31.parquet") },
  { call: "put", send: (store) => store.put("raw-data/2024-05-31.parquet", BYTES) },
  { call: "replace", send: (store) => store.replace("raw-data/2024-05-31.parquet", BYTES, "etag") },
  { call: "stat", send: (store) => store.stat(["raw-data/2024-05-31.parquet"]) },
  { call: "list", send: (store) => store.list("raw-data/") },
];

/** A store that tries once, so that no test waits for a retry. */
function storeAt(endpoint: string, changes: S3ClientConfig = {}): ObjectStore {
  return createS3Store(
    { bucket: "some-bucket", prefix: "" },
    { ...s3Configuration(endpoint), maxAttempts: 1, ...changes },
  );
}

async function withServer(answer: RequestListener, use: (store: ObjectStore) => Promise<void>): Promise<void> {
  const { endpoint, close } = await startAnsweringServer(answer);
  try {
    await use(storeAt(endpoint));
  } finally {
    await close();
  }
}

function answerXml(response: ServerResponse, status: number, xml: string): void {
  response.writeHead(status, { "content-type": "application/xml" }).end(`<?xml version="1.0" encoding="UTF-8"?>${xml}`);
}

function answerFault(request: IncomingMessage, response: ServerResponse, status: number, code: string): void {
  // S3 answers a HEAD without a body, so that only the status tells what is wrong.
  if (request.method === "HEAD") response.writeHead(status).end();
  else answerXml(response, status, `<Error><Code>${code}</Code><Message>so it is</Message></Error>`);
}

describe("a store in a folder of a bucket", () => {
  it("neither sees nor touches what lies beside its folder", async () => {
    const bucket = await server.makeBucket();
    const whole = createS3Store({ bucket, prefix: "" }, server.configuration);
    const inside = createS3Store({ bucket, prefix: "some/folder" }, server.configuration);
    await whole.put("a", BYTES);
    await whole.put("some/folder2/a", BYTES);
    expect(await inside.list("")).toEqual([]);
    expect(await inside.get("a")).toBeUndefined();

    await inside.put("a", Uint8Array.of(9));
    expect(await inside.list("")).toMatchObject([{ key: "a", bytes: 1 }]);
    expect(await inside.stat(["a", "b"])).toMatchObject([{ key: "a", bytes: 1 }, undefined]);
    expect((await whole.list("")).map(({ key }) => key)).toEqual(["a", "some/folder/a", "some/folder2/a"]);
    expect(await whole.head("a")).toMatchObject({ key: "a", bytes: 3 });
  });

  it("has the address under which a person finds it", () => {
    const store = createS3Store({ bucket: "some-bucket", prefix: "some/folder" }, server.configuration);
    expect(store.url).toBe("s3://some-bucket/some/folder");
    expect(store.locate("runs/2024-05-31.json")).toBe("s3://some-bucket/some/folder/runs/2024-05-31.json");
  });
});

describe("a bucket that does not exist", () => {
  it.each(CALLS)("is refused by $call, and is not an absent key", async ({ send }) => {
    const store = createS3Store({ bucket: "no-such-bucket", prefix: "" }, server.configuration);
    await expect(send(store)).rejects.toThrow(StoreRefusedError);
  });

  it("is named, with what to check", async () => {
    const store = createS3Store({ bucket: "no-such-bucket", prefix: "" }, server.configuration);
    await expect(store.get("a")).rejects.toThrow(/s3:\/\/no-such-bucket\/a.*HTTP 404.*bucket's name/);
  });
});

describe("an endpoint that refuses connections", () => {
  it.each(CALLS)("is unavailable to $call", async ({ send }) => {
    await expect(send(storeAt(await closedEndpoint()))).rejects.toThrow(StoreUnavailableError);
  });
});

describe("an answer that is a fault", () => {
  const refusals = [
    { status: 403, code: "AccessDenied" },
    { status: 403, code: "SignatureDoesNotMatch" },
    { status: 400, code: "InvalidRequest" },
  ];
  const troubles = [
    { status: 500, code: "InternalError" },
    { status: 503, code: "SlowDown" },
    { status: 429, code: "TooManyRequests" },
    { status: 409, code: "OperationAborted" },
  ];

  it.each(refusals.flatMap((fault) => CALLS.map((call) => ({ ...fault, ...call }))))(
    "is a refusal where $call gets $status $code",
    async ({ status, code, send }) => {
      await withServer(
        (request, response) => answerFault(request, response, status, code),
        (store) => expect(send(store)).rejects.toThrow(StoreRefusedError),
      );
    },
  );

  it.each(troubles.flatMap((fault) => CALLS.map((call) => ({ ...fault, ...call }))))(
    "can be tried again where $call gets $status $code",
    async ({ status, code, send }) => {
      await withServer(
        (request, response) => answerFault(request, response, status, code),
        (store) => expect(send(store)).rejects.toThrow(StoreUnavailableError),
      );
    },
  );

  it("names the object, the status and the fault, and keeps its cause", async () => {
    await withServer(
      (request, response) => answerFault(request, response, 403, "AccessDenied"),
      async (store) => {
        const error: unknown = await store.get("runs/2024-05-31.json").catch((thrown: unknown) => thrown);
        expect(error).toMatchObject({
          message: expect.stringMatching(/s3:\/\/some-bucket\/runs\/2024-05-31\.json: AccessDenied.*HTTP 403/),
          cause: expect.any(Error),
        });
      },
    );
  });

  it.each([
    ["is absent where a listing shows that it is not there", "", undefined],
    ["stays refused where a listing shows it", "<Contents><Key>runs/a.json</Key><Size>1</Size></Contents>", "refused"],
  ])(
    "of a key that is denied %s: S3 denies a missing key to whom it lets list just some prefixes",
    async (_, contents, end) => {
      await withServer(
        (request, response) => {
          if (request.url?.includes("list-type=2") !== true) answerFault(request, response, 403, "AccessDenied");
          else response.end(`<ListBucketResult><IsTruncated>false</IsTruncated>${contents}</ListBucketResult>`);
        },
        async (store) => {
          const got = await store.get("runs/a.json").catch((error: unknown) => {
            expect(error).toBeInstanceOf(StoreRefusedError);
            return "refused";
          });
          expect(got).toBe(end);
        },
      );
    },
  );

  it("is tried again by the client itself, up to the attempts it has", async () => {
    let requests = 0;
    const { endpoint, close } = await startAnsweringServer((request, response) => {
      requests += 1;
      if (requests === 1) answerFault(request, response, 503, "SlowDown");
      else response.setHeader("etag", '"1"').end("abc");
    });
    try {
      expect(await storeAt(endpoint, { maxAttempts: 2 }).get("a")).toEqual(new TextEncoder().encode("abc"));
      expect(requests).toBe(2);
    } finally {
      await close();
    }
  });
});

describe("an object that is", () => {
  it("cut off on its way is unavailable, never a shorter object", async () => {
    await withServer(
      (_, response) => {
        response.writeHead(200, { "content-length": "100" });
        response.write("only the start", () => response.destroy());
      },
      (store) => expect(store.get("a")).rejects.toThrow(StoreUnavailableError),
    );
  });

  it("larger than is ever read is refused by its size, before its bytes come", async () => {
    await withServer(
      (_, response) => {
        response.writeHead(200, { "content-length": String(256 * 1024 * 1024 + 1) });
        response.write("the start of very much");
      },
      (store) => expect(store.get("a")).rejects.toThrow(StoreRefusedError),
    );
  });
});

describe("a listing", () => {
  function page(keys: readonly string[], next: string | undefined, truncated = next !== undefined): string {
    const contents = keys.map((key) => `<Contents><Key>${key}</Key><Size>1</Size></Contents>`).join("");
    const token = next === undefined ? "" : `<NextContinuationToken>${next}</NextContinuationToken>`;
    return `<ListBucketResult><IsTruncated>${truncated}</IsTruncated>${contents}${token}</ListBucketResult>`;
  }

  function tokenOf(request: IncomingMessage): string | null {
    return new URL(request.url ?? "", "http://127.0.0.1").searchParams.get("continuation-token");
  }

  it("is followed from page to page, an empty one among them", async () => {
    const tokens: (string | null)[] = [];
    const pages = [page(["a"], "one"), page([], "two"), page(["b", "c"], undefined)];
    await withServer(
      (request, response) => {
        tokens.push(tokenOf(request));
        answerXml(response, 200, pages[tokens.length - 1] ?? "");
      },
      async (store) => {
        expect((await store.list("")).map(({ key }) => key)).toEqual(["a", "b", "c"]);
      },
    );
    expect(tokens).toEqual([null, "one", "two"]);
  });

  it("that gives the same continuation token again is an error after two requests, not an endless loop", async () => {
    let requests = 0;
    await withServer(
      (_, response) => {
        requests += 1;
        answerXml(response, 200, page([`key-${requests}`], "again"));
      },
      (store) => expect(store.list("")).rejects.toThrow(StoreUnavailableError),
    );
    expect(requests).toBe(2);
  });

  it("that is cut short without a token is an error, not the whole", async () => {
    await withServer(
      (_, response) => answerXml(response, 200, page(["a"], undefined, true)),
      (store) => expect(store.list("")).rejects.toThrow(StoreUnavailableError),
    );
  });

  it("that is cut short without a token at a later page is an error, not the pages before", async () => {
    await withServer(
      (request, response) => {
        answerXml(response, 200, tokenOf(request) === null ? page(["a"], "one") : page(["b"], undefined, true));
      },
      (store) => expect(store.list("")).rejects.toThrow(StoreUnavailableError),
    );
  });

  it("that breaks off at a later page is an error, not the pages before", async () => {
    await withServer(
      (request, response) => {
        if (tokenOf(request) === null) answerXml(response, 200, page(["a"], "one"));
        else answerFault(request, response, 503, "SlowDown");
      },
      (store) => expect(store.list("")).rejects.toThrow(StoreUnavailableError),
    );
  });
});

describe("many reads at once", () => {
  it("are at most 32 under way, so that none waits for a socket until it times out", async () => {
    const waiting: ServerResponse[] = [];
    let most = 0;
    let answered = 0;
    await withServer(
      (_, response) => {
        waiting.push(response);
        most = Math.max(most, waiting.length);
        if (waiting.length < Math.min(32, 100 - answered)) return;
        answered += waiting.length;
        for (const held of waiting.splice(0)) held.setHeader("etag", '"1"').end("abc");
      },
      async (store) => {
        const keys = Array.from({ length: 100 }, (_, index) => `runs/${index}`);
        const found = await Promise.all(keys.map((key) => store.get(key)));
        expect(found.every((bytes) => bytes?.length === 3)).toBe(true);
      },
    );
    expect(most).toBe(32);
  });
});

describe("a look at many objects", () => {
  it("takes the mark that a read gives as the object's version", async () => {
    const store = createS3Store({ bucket: await server.makeBucket(), prefix: "some" }, server.configuration);
    await store.put("runs/2024-05-31.json", BYTES);
    const [object] = await store.stat(["runs/2024-05-31.json"]);
    expect(object?.mark).toBe((await store.read("runs/2024-05-31.json"))?.version);
  });

  it("asks nothing for no objects, and stops at the first fault", async () => {
    let requests = 0;
    await withServer(
      (request, response) => {
        requests += 1;
        answerFault(request, response, 403, "AccessDenied");
      },
      async (store) => {
        expect(await store.stat([])).toEqual([]);
        expect(requests).toBe(0);
        const keys = Array.from({ length: 50 }, (_, year) => 1950 + year).flatMap((year) =>
          Array.from({ length: 300 }, (_, batch) => `raw-data/${year}-05-31-batch-${batch}.parquet`),
        );
        await expect(store.stat(keys)).rejects.toThrow(StoreRefusedError);
      },
    );
    expect(requests).toBeLessThanOrEqual(8);
  });
});

describe("credentials that cannot be had", () => {
  it.each(CALLS)("are a refusal to $call that says what to set", async ({ send }) => {
    const store = storeAt(await closedEndpoint(), {
      credentials: () => Promise.reject(new Error("Could not load credentials from any providers")),
    });
    await expect(send(store)).rejects.toThrow(StoreRefusedError);
    await expect(send(store)).rejects.toThrow(/AWS credentials/);
  });
});

describe("an object is stored as what it is:", () => {
  it.each([
    ["runs/2024-05-31.json", "application/json"],
    ["symbols/2024-05-31-symbols.csv", "text/csv; charset=utf-8"],
    ["raw-data/2024-05-31.parquet", "application/vnd.apache.parquet"],
    ["curated/notes", "application/octet-stream"],
  ])("%s as %s", async (key, type) => {
    const types: (string | undefined)[] = [];
    await withServer(
      (request, response) => {
        types.push(request.headers["content-type"]);
        request.resume().once("end", () => response.end());
      },
      (store) => store.put(key, BYTES),
    );
    expect(types).toEqual([type]);
  });
});

describe("a body that stops half-way", () => {
  it("ends by a time-out that trying again can heal", async () => {
    const { endpoint, close } = await startAnsweringServer((_, response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("half");
    });
    try {
      const store = createS3Store({ bucket: "some-bucket", prefix: "" }, s3Configuration(endpoint), {
        bodyTimeoutMs: 20,
      });
      await expect(store.get("runs/2024-05-31.json")).rejects.toThrow(StoreUnavailableError);
    } finally {
      await close();
    }
  });
});

describe("a server that is silent", () => {
  it("is given up by the time-out for listings, tries again included", async () => {
    let requests = 0;
    const { endpoint, close } = await startAnsweringServer(() => {
      requests += 1;
    });
    try {
      const timeouts = { listingTimeoutMs: 20 };
      const store = createS3Store({ bucket: "some-bucket", prefix: "" }, s3Configuration(endpoint), timeouts);
      const reads = [
        store.list("raw-data/"),
        store.groups("raw-data/", "b"),
        store.stat(["runs/2024-05-31.json"]),
        store.head("runs/2024-05-31.json"),
      ];
      for (const { reason } of (await Promise.allSettled(reads)).filter((result) => result.status === "rejected")) {
        expect(reason).toBeInstanceOf(StoreUnavailableError);
        expect(String(reason)).toContain("did not answer in time");
      }
      expect(requests).toBeLessThanOrEqual(reads.length);
      await expect(Promise.any(reads)).rejects.toThrow(AggregateError);
    } finally {
      await close();
    }
  });
});
