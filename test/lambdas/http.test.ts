import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UpstreamRefusedError, UpstreamUnavailableError } from "../../domain/errors.ts";
import { type BoundedRequest, boundedGet, type Fetch, parseRetryAfter } from "../../lambdas/runtime/http.ts";
import { createTestClock } from "../support/test-clock.ts";
import { EVENING } from "../support/test-runtime.ts";

const NOW = Date.parse(EVENING);
const REQUEST: BoundedRequest = {
  url: new URL("https://user:password@upstream.example/companies/file?access_token=SECRET#SECRET"),
  headers: { accept: "text/csv" },
  timeoutMs: 1_000,
  maxBytes: 10,
};

function get(fetch: Fetch, request: Partial<BoundedRequest> = {}, clock = createTestClock(EVENING)) {
  return boundedGet(fetch, { ...REQUEST, ...request }, clock);
}

/** What an answer or an error of `fetch` makes of a request. */
async function refusalOf(answer: Response | Error, clock = createTestClock(EVENING)): Promise<unknown> {
  const fetch: Fetch = async () => {
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return get(fetch, {}, clock).then(
    () => {
      throw new Error("the answer was accepted");
    },
    (error: unknown) => error,
  );
}

describe("Retry-After", () => {
  it.each([
    ["0", 0],
    ["1", 1_000],
    ["120", 120_000],
    [" 30 ", 30_000],
    ["999999999", 999_999_999_000],
  ])("in seconds: %j", (header, milliseconds) => {
    expect(parseRetryAfter(header, NOW)).toBe(milliseconds);
  });

  it("in any number of whole seconds is a thousand times as many milliseconds, whatever the time", () => {
    fc.assert(
      fc.property(fc.nat({ max: 999_999_999 }), fc.nat(), (seconds, now) => {
        expect(parseRetryAfter(String(seconds), now)).toBe(seconds * 1000);
      }),
    );
  });

  it.each([
    ["Fri, 31 May 2024 09:30:45 GMT", 45_000],
    ["Fri, 31 May 2024 10:30:00 GMT", 3_600_000],
    ["Fri, 31 May 2024 09:30:00 GMT", 0],
    ["Fri, 31 May 2024 09:29:59 GMT", 0],
    ["Thu, 01 Jan 1970 00:00:00 GMT", 0],
  ])("as an HTTP date is the time until then, never below 0: %s", (header, milliseconds) => {
    expect(parseRetryAfter(header, NOW)).toBe(milliseconds);
  });

  it.each([
    null,
    "",
    " ",
    "soon",
    "NaN",
    "Infinity",
    "0x10",
    "1e3",
    "9999999999999",
    "10 s",
    "120, 120",
    // Texts of which a lenient parser of dates makes a date, long ago or far ahead.
    "-5",
    "1.5",
    "soon 5",
    "about 3000",
  ])("says nothing where it is neither: %j", (header) => {
    expect(parseRetryAfter(header, NOW)).toBeUndefined();
  });
});

describe("a bounded request", () => {
  it.each([200, 204, 400, 404, 429, 503])("hands back HTTP %i with its body and how long to wait", async (status) => {
    const body = status === 204 ? null : "text";
    const headers = { "content-type": "text/plain", "retry-after": "7" };

    const answer = await get(async () => new Response(body, { status, headers }));

    expect(answer).toEqual({
      status,
      contentType: "text/plain",
      retryAfterMs: 7_000,
      body: Buffer.from(body ?? ""),
      answeredAt: NOW,
    });
  });

  it("asks for the address as it is, with the headers given, and follows no redirect by itself", async () => {
    const asked: [string, RequestInit][] = [];

    await get(async (url, init) => {
      asked.push([url.href, init]);
      return new Response("");
    });

    expect(asked).toEqual([
      [REQUEST.url.href, expect.objectContaining({ headers: { accept: "text/csv" }, redirect: "manual" })],
    ]);
  });

  it("reads a Retry-After date against the clock it was given", async () => {
    const headers = { "retry-after": "Fri, 31 May 2024 09:30:10 GMT" };

    expect(await get(async () => new Response("", { status: 429, headers }))).toMatchObject({ retryAfterMs: 10_000 });
  });

  it("tells when the body was complete, not when the headers came", async () => {
    const clock = createTestClock(EVENING);
    const chunks = [Buffer.from("ab"), Buffer.from("cd")];
    const body = new ReadableStream({
      async pull(controller) {
        await clock.sleep(1_500);
        const chunk = chunks.shift();
        if (chunk === undefined) controller.close();
        else controller.enqueue(chunk);
      },
    });

    const answer = await get(async () => new Response(body), {}, clock);

    expect(Buffer.from(answer.body).toString()).toBe("abcd");
    expect(answer.answeredAt).toBe(clock.now());
    expect(answer.answeredAt).toBeGreaterThanOrEqual(NOW + 3_000);
  });

  it("accepts a body exactly at the bound and refuses one byte more", async () => {
    expect((await get(async () => new Response("x".repeat(10)))).body).toHaveLength(10);
    expect(await refusalOf(new Response("x".repeat(11)))).toBeInstanceOf(UpstreamRefusedError);
  });
});

describe("the time-out", () => {
  it("leaves no timer behind, however the request ends", async () => {
    const clock = createTestClock(EVENING);
    let pending = 0;
    const counting: Fetch = async () => {
      pending = clock.pending;
      return new Response("");
    };

    await get(counting, {}, clock);
    await refusalOf(new Error("reset"), clock);
    await refusalOf(new Response(null, { status: 302 }), clock);

    expect(pending).toBe(1);
    expect(clock.pending).toBe(0);
  });

  it("ends a body that stops coming", async () => {
    const clock = createTestClock(EVENING);
    const stalled: Fetch = async (_url, { signal }) => {
      const body = new ReadableStream({
        start(controller) {
          controller.enqueue(Buffer.from("ab"));
          signal?.addEventListener("abort", () => controller.error(new Error("aborted")));
        },
      });
      return new Response(body);
    };
    let ended = false;
    const asked = get(stalled, { timeoutMs: 2_000 }, clock)
      .catch((error: unknown) => error)
      .finally(() => {
        ended = true;
      });

    await clock.sleep(1_999);
    await new Promise((resolve) => setImmediate(resolve));
    expect(ended).toBe(false);
    await clock.sleep(1);

    expect(await asked).toBeInstanceOf(UpstreamUnavailableError);
    expect(await asked).toMatchObject({ message: expect.stringContaining("2000 ms") });
  });
});

describe("an error message", () => {
  const redirect = (location: string) => new Response(null, { status: 302, headers: { location } });
  const offline = new Error("getaddrinfo ENOTFOUND upstream.example");
  it.each<[string, Response | Error]>([
    ["the network fails", new TypeError("fetch failed", { cause: offline })],
    ["the fetch fails without a cause", new TypeError("terminated")],
    ["a redirect points to another host", redirect("https://consent.example/collect?sessionId=SECRET#SECRET")],
    ["a redirect carries a password", redirect("https://user:SECRET@consent.example/collect")],
    ["a redirect cannot be read", redirect("https://[SECRET")],
    ["a redirect points nowhere", new Response(null, { status: 302 })],
    ["a redirect points to the same host", redirect("/login?next=SECRET")],
    ["the body is over the bound", new Response("SECRET".repeat(10))],
  ])("names the host and the path, but neither query, fragment nor password: %s", async (_case, answer) => {
    const error = await refusalOf(answer);

    expect(error).toMatchObject({ message: expect.stringContaining("https://upstream.example/companies/file") });
    expect(error).toMatchObject({ message: expect.not.stringMatching(/SECRET|access_token|password|sessionId|[?#]/) });
  });

  it("says why the network failed", async () => {
    const cause = Object.assign(new Error("connect ECONNREFUSED 192.0.2.1:443"), { code: "ECONNREFUSED" });
    const error = await refusalOf(new TypeError("fetch failed", { cause }));

    expect(error).toBeInstanceOf(UpstreamUnavailableError);
    expect(error).toMatchObject({ message: expect.stringContaining("ECONNREFUSED") });
  });

  it("says where a redirect points", async () => {
    const error = await refusalOf(redirect("https://consent.example/collect?sessionId=SECRET"));

    expect(error).toBeInstanceOf(UpstreamRefusedError);
    expect(error).toMatchObject({ message: expect.stringContaining("https://consent.example/collect") });
  });
});
