import { describe, expect, it } from "vitest";
import { type RateLimit, rateLimited } from "../../sandbox/rate-limit.ts";
import type { SandboxRequest } from "../../sandbox/server.ts";

const ANSWER = { status: 200, contentType: "text/plain", body: "right" };
const CHART: SandboxRequest = { path: "/v8/finance/chart/BHP.AX", ticker: "BHP.AX", kind: "chart" };

/** A limited upstream and its clock, in milliseconds. */
function open(limit: RateLimit) {
  let now = 0;
  const deliver = rateLimited(
    limit,
    () => now,
    async (answer) => answer,
  );
  return {
    at(ms: number) {
      now = ms;
    },
    ask: (request = CHART) => deliver(ANSWER, request),
    async statuses(requests: number): Promise<number[]> {
      const answers = await Promise.all(Array.from({ length: requests }, () => deliver(ANSWER, CHART)));
      return answers.map(({ status }) => status);
    },
  };
}

describe("a rate limit", () => {
  it("lets a burst through and then as many as flow in", async () => {
    const upstream = open({ perSecond: 2, burst: 3, retryAfter: false });
    expect(await upstream.statuses(5)).toEqual([200, 200, 200, 429, 429]);
    upstream.at(499);
    expect(await upstream.statuses(1)).toEqual([429]);
    upstream.at(500);
    expect(await upstream.statuses(2)).toEqual([200, 429]);
    upstream.at(60_000);
    expect(await upstream.statuses(4)).toEqual([200, 200, 200, 429]);
  });

  it("never refuses one who keeps it exactly", async () => {
    const upstream = open({ perSecond: 3, burst: 1, retryAfter: false });
    for (let request = 0; request < 1_000; request += 1) {
      upstream.at((request * 1000) / 3);
      expect(await upstream.statuses(1)).toEqual([200]);
    }
  });

  it("says in whole seconds when there is a token again, where it is to", async () => {
    const slow = open({ perSecond: 0.4, burst: 1, retryAfter: true });
    await slow.ask();
    expect(await slow.ask()).toMatchObject({ status: 429, headers: { "retry-after": "3" } });
    const silent = open({ perSecond: 0.4, burst: 1, retryAfter: false });
    await silent.ask();
    expect(await silent.ask()).not.toHaveProperty("headers");
  });

  it("is none of the directory's", async () => {
    const upstream = open({ perSecond: 1, burst: 1, retryAfter: true });
    await upstream.ask();
    const directory: SandboxRequest = { path: "/directory", ticker: undefined, kind: "directory" };
    expect((await upstream.ask(directory)).status).toBe(200);
  });
});
