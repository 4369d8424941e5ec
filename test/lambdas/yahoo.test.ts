import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, it } from "vitest";
import { UpstreamRefusedError, UpstreamUnavailableError } from "../../domain/errors.ts";
import type { PriceSource } from "../../lambdas/batch-fetcher/price-source.ts";
import { createYahooSource } from "../../lambdas/batch-fetcher/yahoo.ts";
import { boundedGet, type Fetch } from "../../lambdas/runtime/http.ts";
import { chartBody, errorBody } from "../support/chart-body.ts";
import { createTestClock } from "../support/test-clock.ts";
import { EVENING } from "../support/test-runtime.ts";

const USER_AGENT = "asx-eod-tests/1.0 (nobody@example.com)";
const CHART = chartBody({ rows: [{ at: "2024-05-31T10:00:00+10:00" }] });

interface Upstream {
  readonly origin: string;
  /** What was asked, in the order it came. */
  readonly requests: { readonly method: string; readonly path: string; readonly headers: IncomingHttpHeaders }[];
  readonly server: Server;
}

const running: Server[] = [];

afterEach(async () => {
  for (const server of running.splice(0)) await stop(server);
});

async function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  if (server.listening) await new Promise((resolve) => server.close(resolve));
}

/** A server of this test's own, stopped when the test ends. */
async function serve(answer: RequestListener): Promise<Upstream> {
  const requests: Upstream["requests"] = [];
  const server = createServer((request, response) => {
    requests.push({ method: request.method ?? "", path: request.url ?? "", headers: request.headers });
    answer(request, response);
  });
  running.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return { origin: `http://127.0.0.1:${address.port}`, requests, server };
}

function sourceAt(baseUrl: string, fetch: Fetch = globalThis.fetch, clock = createTestClock(EVENING)): PriceSource {
  return createYahooSource({ baseUrl, userAgent: USER_AGENT, fetch, clock });
}

/** What asking for one ordinary session throws. */
async function refusalOf(source: PriceSource): Promise<unknown> {
  return source.fetchChart("BHP", "2024-05-31", "2024-05-31").then(
    () => {
      throw new Error("the answer was accepted");
    },
    (error: unknown) => error,
  );
}

/** The platform's fetch, telling how many decoded bytes of the body have come so far. */
function watchedFetch(onBytes: (total: number) => void): Fetch {
  return async (url, init) => {
    const response = await globalThis.fetch(url, init);
    let total = 0;
    const watch = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        total += chunk.byteLength;
        onBytes(total);
        controller.enqueue(chunk);
      },
    });
    return new Response(response.body?.pipeThrough(watch) ?? null, response);
  };
}

describe("a request for a chart", () => {
  it.each([
    ["a winter session", "2024-05-31", "2024-05-31", 1_717_077_600, 1_717_164_000],
    ["a summer session", "2024-01-15", "2024-01-15", 1_705_237_200, 1_705_323_600],
    ["sessions around the end of daylight time", "2024-04-05", "2024-04-08", 1_712_235_600, 1_712_584_800],
    ["sessions around the beginning of daylight time", "2024-10-04", "2024-10-07", 1_727_964_000, 1_728_306_000],
    ["the day of 25 hours", "2024-04-07", "2024-04-07", 1_712_408_400, 1_712_498_400],
    ["the day of 23 hours", "2024-10-06", "2024-10-06", 1_728_136_800, 1_728_219_600],
  ])("spans whole days in Sydney, the last one included: %s", async (_case, from, to, period1, period2) => {
    const { origin, requests } = await serve((_request, response) => response.end(CHART));

    await sourceAt(origin).fetchChart("BHP", from, to);

    expect(requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      `GET /v8/finance/chart/BHP.AX?interval=1d&period1=${period1}&period2=${period2}&events=div%7Csplit`,
    ]);
  });

  it("asks under the name it was given and brings no cookie, not even one it was sent", async () => {
    const { origin, requests } = await serve((_request, response) => {
      response.writeHead(200, { "set-cookie": "A3=tracked; Path=/" }).end(CHART);
    });
    const source = sourceAt(origin);

    await source.fetchChart("BHP", "2024-05-31", "2024-05-31");
    await source.fetchChart("CBA", "2024-05-31", "2024-05-31");

    expect(requests).toHaveLength(2);
    for (const { headers } of requests) {
      expect(headers["user-agent"]).toBe(USER_AGENT);
      expect(headers.accept).toBe("application/json");
      expect(headers.cookie).toBeUndefined();
      expect(headers.authorization).toBeUndefined();
    }
  });

  it("keeps the path of the base address", async () => {
    const { origin, requests } = await serve((_request, response) => response.end(CHART));

    await sourceAt(`${origin}/stand-in`).fetchChart("360", "2024-05-31", "2024-05-31");

    expect(requests[0]?.path).toMatch(/^\/stand-in\/v8\/finance\/chart\/360\.AX\?/);
  });

  it("is one request and no more, whatever the answer", async () => {
    for (const status of [200, 401, 404, 429, 503]) {
      const { origin, requests } = await serve((_request, response) => response.writeHead(status).end("no chart"));
      await refusalOf(sourceAt(origin));
      expect(requests, `HTTP ${status}`).toHaveLength(1);
    }
  });

  it.each(["../../x", "BHP/../CBA", "BHP?a=b", "BHP#", "BHP.AX", "bhp", " BHP", "BH", "", "%2e%2e", "BHP\r\nX: y"])(
    "for %j never reaches the network",
    async (symbol) => {
      const { origin, requests } = await serve((_request, response) => response.end(CHART));

      await expect(sourceAt(origin).fetchChart(symbol, "2024-05-31", "2024-05-31")).rejects.toThrow();
      expect(requests).toEqual([]);
    },
  );
});

describe("an answer", () => {
  it("is read as a chart, with the time at which it came", async () => {
    const { origin } = await serve((_request, response) => response.end(CHART));

    expect(await sourceAt(origin).fetchChart("BHP", "2024-05-31", "2024-05-31")).toMatchObject({
      answer: { kind: "chart", ticker: "BHP.AX", rows: [{ date: "2024-05-31", close: 30.5 }] },
      answeredAt: Date.parse(EVENING),
    });
  });

  it("may come compressed", async () => {
    const { origin } = await serve((_request, response) => {
      response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(CHART));
    });

    expect(await sourceAt(origin).fetchChart("BHP", "2024-05-31", "2024-05-31")).toMatchObject({
      answer: { kind: "chart" },
    });
  });

  it("of an unknown symbol is no error", async () => {
    const { origin } = await serve((_request, response) => response.writeHead(404).end(errorBody("Not Found")));

    expect(await sourceAt(origin).fetchChart("BHP", "2024-05-31", "2024-05-31")).toEqual({
      answer: { kind: "notFound" },
      answeredAt: Date.parse(EVENING),
    });
  });

  it("that limits the rate says how long to wait", async () => {
    const { origin } = await serve((_request, response) => {
      response.writeHead(429, { "retry-after": "12", "content-type": "text/plain" }).end("Too Many Requests\r\n");
    });

    const error = await refusalOf(sourceAt(origin));

    expect(error).toBeInstanceOf(UpstreamUnavailableError);
    expect(error).toMatchObject({ retryAfterMs: 12_000 });
  });

  it.each([301, 302, 303, 307, 308])(
    "that redirects to a consent page by HTTP %i is refused and not followed",
    async (status) => {
      const consent = await serve((_request, response) => response.end(CHART));
      const location = `${consent.origin}/consent?sessionId=secret`;
      const { origin, requests } = await serve((_request, response) => response.writeHead(status, { location }).end());

      const error = await refusalOf(sourceAt(origin));

      expect(error).toBeInstanceOf(UpstreamRefusedError);
      expect(error).toMatchObject({ message: expect.stringContaining("/consent") });
      expect(error).toMatchObject({ message: expect.not.stringContaining("secret") });
      expect(requests).toHaveLength(1);
      expect(consent.requests).toEqual([]);
    },
  );
});

describe("a body over 5 MB", () => {
  const HUGE = 100_000_000;
  const bomb = gzipSync(Buffer.alloc(HUGE));

  it("is refused without being read to its end", async () => {
    let sent = 0;
    const zeros = Buffer.alloc(64 * 1024);
    const { origin } = await serve((_request, response) => {
      const body = Readable.from(
        (function* () {
          for (; sent < HUGE; sent += zeros.length) yield zeros;
        })(),
      );
      // The other side hangs up: that is what is to be shown, and no error of the server's.
      pipeline(body, response).catch(() => undefined);
    });

    expect(await refusalOf(sourceAt(origin))).toBeInstanceOf(UpstreamRefusedError);
    expect(sent).toBeGreaterThan(5_000_000);
    expect(sent).toBeLessThan(HUGE / 2);
  });

  it("is refused where it is small while compressed, and is not unpacked to its end", async () => {
    const { origin } = await serve((_request, response) => {
      response.writeHead(200, { "content-encoding": "gzip" }).end(bomb);
    });
    let unpacked = 0;
    const counting = watchedFetch((total) => {
      unpacked = total;
    });

    expect(await refusalOf(sourceAt(origin, counting))).toBeInstanceOf(UpstreamRefusedError);
    expect(unpacked).toBeGreaterThan(5_000_000);
    expect(unpacked).toBeLessThan(10_000_000);
  });
});

describe("a connection that fails", () => {
  it.each([
    ["reset before an answer", undefined],
    ["reset in the body", CHART.subarray(0, 40)],
  ])("can heal: %s", async (_case, begun) => {
    const { origin } = await serve((request, response) => {
      if (begun === undefined) return void request.socket.resetAndDestroy();
      response.writeHead(200, { "content-length": CHART.length });
      response.write(begun, () => request.socket.resetAndDestroy());
    });

    expect(await refusalOf(sourceAt(origin))).toBeInstanceOf(UpstreamUnavailableError);
  });

  it("can heal: closed in the middle of a compressed body", async () => {
    const { origin } = await serve((_request, response) => {
      const packed = gzipSync(CHART);
      response.writeHead(200, { "content-encoding": "gzip" }).end(packed.subarray(0, packed.length - 12));
    });

    expect(await refusalOf(sourceAt(origin))).toBeInstanceOf(UpstreamUnavailableError);
  });

  it("can heal: refused, and the message says so without the query", async () => {
    const { origin, server } = await serve((_request, response) => response.end(CHART));
    await stop(server);

    const error = await refusalOf(sourceAt(origin));

    expect(error).toBeInstanceOf(UpstreamUnavailableError);
    expect(error).toMatchObject({ message: expect.stringContaining("ECONNREFUSED") });
    expect(error).toMatchObject({ message: expect.not.stringContaining("period1") });
  });
});

describe("the time for an answer", () => {
  // The network is real; only the clock of the request is turned by hand, so that no load of the host matters.
  const clock = createTestClock(EVENING);

  it("ends a request that is never answered, and gives up its connection", async () => {
    const asked = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<void>();
    const { origin } = await serve(({ socket }) => {
      socket.on("close", closed.resolve).on("error", closed.resolve);
      asked.resolve();
    });
    const url = new URL(origin);
    const answer = boundedGet(globalThis.fetch, { url, headers: {}, timeoutMs: 40, maxBytes: 100 }, clock).catch(
      (error: unknown) => error,
    );

    await asked.promise;
    await clock.sleep(40);

    expect(await answer).toBeInstanceOf(UpstreamUnavailableError);
    expect(await answer).toMatchObject({ message: expect.stringContaining("40 ms") });
    await closed.promise;
  });

  it("ends an answer whose body trickles, and gives up its connection", async () => {
    const trickled = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<void>();
    const { origin } = await serve(({ socket }, response) => {
      socket.on("close", closed.resolve).on("error", closed.resolve);
      response.writeHead(200, { "content-type": "application/json" }).flushHeaders();
      const trickle = setInterval(() => response.write("x"), 1);
      void closed.promise.then(() => clearInterval(trickle));
    });
    const watched = watchedFetch((total) => {
      if (total >= 5) trickled.resolve();
    });
    const url = new URL(origin);
    const answer = boundedGet(watched, { url, headers: {}, timeoutMs: 40, maxBytes: 1_000_000 }, clock).catch(
      (error: unknown) => error,
    );

    await clock.sleep(39);
    await trickled.promise;
    await clock.sleep(1);

    expect(await answer).toBeInstanceOf(UpstreamUnavailableError);
    expect(await answer).toMatchObject({ message: expect.stringContaining("40 ms") });
    await closed.promise;
  });

  it("is ten seconds for a chart", async () => {
    const clock = createTestClock(EVENING);
    const silent: Fetch = (_url, { signal }) =>
      new Promise((_resolve, reject) => signal?.addEventListener("abort", () => reject(new Error("aborted"))));
    let ended = false;
    const asked = refusalOf(sourceAt("https://upstream.example", silent, clock)).finally(() => {
      ended = true;
    });

    await clock.sleep(9_999);
    await new Promise((resolve) => setImmediate(resolve));
    expect(ended).toBe(false);
    await clock.sleep(1);

    expect(await asked).toBeInstanceOf(UpstreamUnavailableError);
  });
});
