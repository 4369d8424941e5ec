import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { InvalidInputError } from "../../domain/errors.ts";
import { createReplayMarket } from "../../sandbox/replay-market.ts";
import { createSandboxApp, type Delivery, SANDBOX_PATHS } from "../../sandbox/server.ts";
import { EVENING } from "../support/test-runtime.ts";
import { createTinyMarket } from "../support/tiny-market.ts";

const NOW = Date.parse(EVENING);
/** Seconds since 1970 of 31 May 2024 and of the day after, at midnight in Sydney. */
const FROM = 1_717_077_600;
const TO = FROM + 86_400;

const market = createTinyMarket({
  bars: {
    BHP: { "2024-05-30": { close: 30.385 }, "2024-05-31": { close: 30.385, volume: 7 } },
    CBA: { "2024-05-31": null },
    NAB: {},
  },
  dividends: { BHP: [{ date: "2024-05-31", amount: 0.205 }] },
  splits: { BHP: [{ date: "2024-05-31", numerator: 4, denominator: 1 }] },
});

async function ask(path: string, delivery?: Parameters<typeof createSandboxApp>[0]["delivery"]) {
  const app = createSandboxApp({ market, now: () => NOW, ...(delivery !== undefined && { delivery }) });
  const answer = await app.request(path);
  return { status: answer.status, contentType: answer.headers.get("content-type"), text: await answer.text() };
}

const chart = (ticker: string, more = "") =>
  `/v8/finance/chart/${ticker}?interval=1d&period1=${FROM}&period2=${TO}&events=div%7Csplit${more}`;

describe("the stand-in of Yahoo's chart", () => {
  it("answers in the recorded form: 32-bit prices printed as doubles, stamps at the session's opening, events", async () => {
    const { status, contentType, text } = await ask(chart("BHP.AX"));
    expect({ status, contentType }).toEqual({ status: 200, contentType: "application/json;charset=utf-8" });
    const stamp = FROM + 10 * 3600;
    expect(JSON.parse(text)).toEqual({
      chart: {
        error: null,
        result: [
          {
            meta: expect.objectContaining({
              currency: "AUD",
              symbol: "BHP.AX",
              exchangeTimezoneName: "Australia/Sydney",
              gmtoffset: 36_000,
              timezone: "AEST",
              dataGranularity: "1d",
            }),
            timestamp: [stamp],
            events: {
              dividends: { [stamp]: { amount: 0.205, date: stamp } },
              splits: { [stamp]: { date: stamp, numerator: 4, denominator: 1, splitRatio: "4:1" } },
            },
            indicators: {
              quote: [{ open: [10], high: [11], low: [9], close: [30.385000228881836], volume: [7] }],
              adjclose: [{ adjclose: [10.25] }],
            },
          },
        ],
      },
    });
  });

  it("excludes the end of the period", async () => {
    const { text } = await ask(
      `/v8/finance/chart/BHP.AX?interval=1d&period1=${FROM - 86_400}&period2=${FROM + 36_000}`,
    );
    expect(JSON.parse(text).chart.result[0].timestamp).toEqual([FROM - 86_400 + 36_000]);
  });

  it("gives events only where they are asked for", async () => {
    const { text } = await ask(`/v8/finance/chart/BHP.AX?interval=1d&period1=${FROM}&period2=${TO}`);
    expect(JSON.parse(text).chart.result[0].events).toBeUndefined();
  });

  it("gives a row of nulls for a day without trade", async () => {
    const { text } = await ask(chart("CBA.AX"));
    expect(JSON.parse(text).chart.result[0].indicators).toEqual({
      quote: [{ open: [null], high: [null], low: [null], close: [null], volume: [null] }],
      adjclose: [{ adjclose: [null] }],
    });
  });

  it.each([
    ["an unknown symbol", chart("XYZ.AX"), 404, "Not Found"],
    ["a ticker of another exchange", chart("BHP"), 404, "Not Found"],
    ["a traversal", chart("..%2F..%2Fx.AX"), 404, "Not Found"],
    ["a window without data", chart("NAB.AX"), 400, "Bad Request"],
    [
      "a period that ends before it begins",
      `/v8/finance/chart/BHP.AX?interval=1d&period1=2&period2=1`,
      400,
      "Bad Request",
    ],
    ["no period", "/v8/finance/chart/BHP.AX?interval=1d", 400, "Bad Request"],
  ])("answers %s as the provider does", async (_, path, status, code) => {
    const answer = await ask(path);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.text)).toEqual({
      chart: { result: null, error: { code, description: expect.any(String) } },
    });
  });
});

describe("the one place that every answer passes", () => {
  it.each([
    [chart("BHP.AX"), "BHP.AX"],
    [SANDBOX_PATHS.directory, undefined],
    [SANDBOX_PATHS.olderDirectory, undefined],
    ["/nothing/here", undefined],
  ])("sees %s and can replace it", async (path, ticker) => {
    const seen: unknown[] = [];
    const answer = await ask(path, async (_, request) => {
      seen.push(request.ticker);
      return { status: 503, contentType: "text/html", body: "down" };
    });
    expect(seen).toEqual([ticker]);
    expect(answer).toMatchObject({ status: 503, text: "down" });
  });
});

describe("a client in the same process", () => {
  const open = (delivery: Delivery) => createSandboxApp({ market, now: () => NOW, delivery });
  const request = (init?: RequestInit) => new Request(`http://sandbox${chart("BHP.AX")}`, init);
  const never = (): Promise<never> => new Promise(() => undefined);

  it("sees a connection break as over a network: fetch fails, or the body does", async () => {
    const atOnce = open(async (answer) => ({ ...answer, breaksAfter: 0 }));
    await expect((async () => atOnce.fetch(request()))()).rejects.toThrow(TypeError);
    const later = await open(async (answer) => ({ ...answer, breaksAfter: 20 })).fetch(request());
    expect(later.status).toBe(200);
    const seen: string[] = [];
    await expect(
      (async () => {
        for await (const chunk of later.body ?? []) seen.push(new TextDecoder().decode(chunk));
      })(),
    ).rejects.toThrow("terminated");
    expect(seen).toEqual(['{"chart":{"result":[']);
  });

  it("gets a packed body unpacked", async () => {
    const packed = await open(async (answer) => ({ ...answer, gzipped: new Uint8Array(3) })).fetch(request());
    expect([packed.headers.get("content-encoding"), await packed.json()]).toEqual([null, expect.anything()]);
  });

  it("can give up before the answer and within it", async () => {
    const before = new AbortController();
    const unanswered = (async () => open(never).fetch(request({ signal: before.signal })))();
    before.abort();
    await expect(unanswered).rejects.toThrow("aborted");

    const within = new AbortController();
    const body = () => new ReadableStream<Uint8Array>({ pull: never });
    const begun = await open(async (answer) => ({ ...answer, body: body() })).fetch(request({ signal: within.signal }));
    const text = begun.text();
    within.abort();
    await expect(text).rejects.toThrow("aborted");
  });
});

describe("a replayed market", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "asx-eod-test-"));
    mkdirSync(join(folder, "2024"));
    writeFileSync(join(folder, "directory.csv"), "ASX code,Company name\nBHP,BHP\n");
    writeFileSync(join(folder, "2024", "20240530.csv"), "BHP,20240530,1,2,.5,1.5,10\nCBA,20240530,1,1,1,1,0\n");
    writeFileSync(join(folder, "2024", "20240531.csv"), "BHP,20240531,.069,.074,.066,.068,48745\r\n");
    writeFileSync(join(folder, "2024", "notes.txt"), "no day");
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const open = () => createReplayMarket({ folder, directoryFile: join(folder, "directory.csv") });

  it("gives the recorded bars, in order of date, and nothing for days without a line", () => {
    expect(open().history("BHP", "2024-05-01", "2024-05-31")?.sessions).toEqual([
      { date: "2024-05-30", bar: { open: 1, high: 2, low: 0.5, close: 1.5, adjustedClose: 1.5, volume: 10 } },
      {
        date: "2024-05-31",
        bar: { open: 0.069, high: 0.074, low: 0.066, close: 0.068, adjustedClose: 0.068, volume: 48_745 },
      },
    ]);
    expect(open().history("CBA", "2024-05-31", "2024-05-31")?.sessions).toEqual([]);
  });

  it("knows a symbol where any day has it", () => {
    expect(open().history("CBA", "2024-05-31", "2024-05-31")).toBeDefined();
    expect(open().history("XYZ", "2024-05-31", "2024-05-31")).toBeUndefined();
    expect(open().history("", "2024-05-31", "2024-05-31")).toBeUndefined();
  });

  it("serves the directory as it is, byte for byte, at both addresses", () => {
    const file = new TextEncoder().encode("ASX code,Company name\nBHP,BHP\n");
    const { current, older } = open().directory();
    expect([Buffer.from(current).equals(file), Buffer.from(older).equals(file)]).toEqual([true, true]);
  });

  it.each([
    ["too few values", "BHP,20240531,1,2,3"],
    ["another date", "BHP,20240530,1,1,1,1,1"],
    ["no number", "BHP,20240531,1,1,1,x,1"],
    ["an empty value", "BHP,20240531,1,1,1,,1"],
  ])("names file and line of a line with %s", (_, line) => {
    writeFileSync(join(folder, "2024", "20240531.csv"), `CBA,20240531,1,1,1,1,1\n${line}\n`);
    const history = () => open().history("BHP", "2024-05-31", "2024-05-31");
    expect(history).toThrow(InvalidInputError);
    expect(history).toThrow("20240531.csv:2");
  });

  it.each(["nowhere", "2024"])("refuses the folder %s, which holds no days", (name) => {
    const replay = () =>
      createReplayMarket({ folder: join(folder, name), directoryFile: join(folder, "directory.csv") });
    expect(replay).toThrow(InvalidInputError);
  });
});
