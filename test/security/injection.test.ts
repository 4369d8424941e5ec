/** Injection and traversal (X01, X02, X03, X04, X07, X09, A08, A09): hostile values are refused by name, and nothing is written. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InvalidArgumentError } from "commander";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  dateArgument,
  datesArgument,
  faultArgument,
  rateArgument,
  sourceArgument,
  storeArgument,
  symbolArgument,
  symbolsArgument,
  wholeNumberArgument,
} from "../../cli/arguments.ts";
import { stateMachineArgument } from "../../cli/state-machine-arn.ts";
import { symbolUpdate } from "../../domain/batch.ts";
import { InvalidInputError, StoredFileError } from "../../domain/errors.ts";
import { rawDataKey, rawDataPrefix, runKey, runLockKey, symbolsKey } from "../../domain/object-keys.ts";
import { parseRunSummary } from "../../domain/parse-run-summary.ts";
import { toTicker } from "../../domain/symbol.ts";
import { quote } from "../../domain/text.ts";
import { isTradingDate } from "../../domain/trading-date.ts";
import { createBatchFetcher } from "../../lambdas/batch-fetcher/handler.ts";
import { createRunSummary } from "../../lambdas/run-summary/handler.ts";
import { isUpstreamAddress } from "../../lambdas/runtime/environment.ts";
import type { Environment, Handler } from "../../lambdas/runtime/runtime.ts";
import { createSymbolUpdater } from "../../lambdas/symbol-updater/handler.ts";
import { createLocalStore } from "../../stores/local-store.ts";
import { checkStoreAddress } from "../../stores/open-store.ts";
import { decodeSymbolsCsv } from "../../stores/symbols-csv.ts";
import { hostileDate, hostileText, hostileValue, isCivil } from "../support/hostile.ts";
import { createTestRuntime, type TestRuntime } from "../support/test-runtime.ts";
import { asx } from "../support/test-terminal.ts";
import { createTinyMarket, sandboxFetch } from "../support/tiny-market.ts";

const DAY = "2024-05-31";
const LONGEST_MESSAGE = 256;

const isSymbol = (value: unknown): boolean => typeof value === "string" && /^[A-Z0-9]{3,6}$/.test(value);
const isDate = (value: unknown): boolean => typeof value === "string" && isTradingDate(value);
const badDate = fc.oneof(hostileDate, hostileValue).filter((value) => !isDate(value));
const badSymbol = hostileValue.filter((value) => !isSymbol(value));
const badSymbols = fc.oneof(
  badSymbol.map((symbol) => ["BHP", symbol]),
  hostileValue.filter((value) => !Array.isArray(value)),
);
const badCount = hostileValue.filter((value) => !Number.isInteger(value) || Number(value) < 0);
const notAnObject = hostileValue.filter((value) => typeof value !== "object" || value === null || Array.isArray(value));

/** How a message quotes a value: its first characters, up to one that a cut could halve. */
function beginningOf(value: string): string {
  return quote(value.replace(/[\ud800-\udfff].*/s, ""), 10).slice(0, -1);
}

/** What a call throws. */
async function thrownBy(call: () => unknown): Promise<Error> {
  try {
    await call();
  } catch (error) {
    if (error instanceof Error) return error;
    throw new Error(`${String(error)} was thrown, which is no Error`);
  }
  throw new Error("nothing was thrown");
}

/** Sends an event to a handler of its own: it must be refused by name, with the value, before anything is asked or written. */
async function expectRefused(
  create: (runtime: TestRuntime) => Handler<unknown>,
  event: unknown,
  value: unknown,
): Promise<void> {
  const runtime = createTestRuntime();
  const { name, message } = await thrownBy(() => create(runtime)(event));
  expect([name, runtime.store.calls, runtime.store.objects.size]).toEqual(["InvalidInputError", [], 0]);
  expect(isCivil(message, LONGEST_MESSAGE)).toBe(true);
  if (typeof value === "string") expect(message).toContain(onOneLine(beginningOf(value)));
  expect(runtime.logs.every((line) => isCivil(line, 2_000))).toBe(true);
}

/** White space as messages have it. */
function onOneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ");
}

const updater = (runtime: TestRuntime) => createSymbolUpdater({}, runtime);
const summary = (runtime: TestRuntime) => createRunSummary({}, runtime);
const fetcher = (runtime: TestRuntime) => createBatchFetcher({}, runtime);

const SUMMARY_EVENT = {
  date: DAY,
  tradingDay: true,
  startedAt: "2024-05-31T09:30:00.000Z",
  sessions: [DAY],
  symbolBatches: [{ symbols: ["BHP"], batchNumber: 0 }],
  metadata: {
    totalSymbols: 1,
    numBatches: 1,
    batchSize: 100,
    isLatest: true,
    s3Key: null,
    source: "event",
    changes: { comparedTo: null, added: [], removed: [] },
    warnings: [],
  },
  results: [[{ batchNumber: 0, error: { Error: "X", Cause: "" } }]],
};

describe("an event with a hostile value", () => {
  it.each<[string, string, (runtime: TestRuntime) => Handler<unknown>, fc.Arbitrary<unknown>]>([
    ["symbol updater", "date", updater, badDate],
    ["symbol updater", "symbols", updater, badSymbols],
    ["symbol updater", "acceptDirectory", updater, hostileValue.filter((value) => typeof value !== "boolean")],
    ["batch fetcher", "date", fetcher, badDate],
    ["batch fetcher", "symbols", fetcher, badSymbols],
    ["batch fetcher", "batchNumber", fetcher, fc.oneof(badCount, fc.constantFrom(1_000_000, 1e21))],
    ["batch fetcher", "lanes", fetcher, badCount],
    ["run summary", "date", summary, badDate],
    [
      "run summary",
      "startedAt",
      summary,
      fc.oneof(
        badDate.filter((value) => value !== `${DAY}T00:00:00Z`),
        fc.constantFrom(`${DAY}T25:00:00Z`, `${DAY}T00:00:00`, "2024-02-30T00:00:00Z"),
      ),
    ],
    ["run summary", "tradingDay", summary, hostileValue.filter((value) => typeof value !== "boolean")],
    ["run summary", "symbolBatches", summary, badSymbols.map((symbols) => [{ symbols, batchNumber: 0 }])],
    ["run summary", "symbolBatches", summary, badCount.map((batchNumber) => [{ symbols: [], batchNumber }])],
    [
      "run summary",
      "results",
      summary,
      hostileValue.filter(
        (value) => !/^\[(\[\](,\[\])*)?\]$/.test(JSON.stringify(value) ?? ""),
      ) /* no lane, or lanes without a result */,
    ],
  ])("is refused by the %s before anything happens: its %s", async (_, field, create, values) => {
    await fc.assert(
      fc.asyncProperty(values, async (value) => {
        await expectRefused(create, { ...SUMMARY_EVENT, [field]: value }, value);
      }),
      { numRuns: 300 },
    );
  });

  it.each<[string, (runtime: TestRuntime) => Handler<unknown>]>([
    ["symbol updater", updater],
    ["batch fetcher", fetcher],
    ["run summary", summary],
  ])("is refused by the %s where it is no object at all", async (_, create) => {
    await fc.assert(fc.asyncProperty(notAnObject, (event) => expectRefused(create, event, event)));
  });

  it("that names a file of its own making as a batch's result leads to no write", async () => {
    const counts = { fetched: 0, noTrade: 0, notFound: 0, invalid: 0, failed: 0, deferred: 0 };
    const result = { date: DAY, batchNumber: 0, rows: 0, bytes: 0, counts, unfinished: [], durationMs: 0 };
    await fc.assert(
      fc.asyncProperty(hostileText, async (s3Key) => {
        const runtime = createTestRuntime();
        const results = [[{ ...result, s3Key, sha256: "0".repeat(64) }]];
        const { name, message } = await thrownBy(() => summary(runtime)({ ...SUMMARY_EVENT, results }));
        expect([name, runtime.store.objects.size]).toEqual(["StoredFileError", 0]);
        expect(isCivil(message, LONGEST_MESSAGE)).toBe(true);
      }),
    );
  });

  it("changes no prototype (X07)", () => {
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect(({} as Record<string, unknown>)["date"]).toBeUndefined();
  });
});

describe("an environment variable with a hostile value", () => {
  const ADDRESS_VARIABLES = ["ASX_DIRECTORY_URL", "ASX_OLDER_DIRECTORY_URL"];

  it("is refused by name before anything happens", () => {
    const create = (environment: Environment) => (runtime: TestRuntime) =>
      "YAHOO_URL" in environment ? createBatchFetcher(environment, runtime) : createSymbolUpdater(environment, runtime);
    fc.assert(
      fc.property(
        fc.constantFrom(
          ...ADDRESS_VARIABLES,
          "YAHOO_URL",
          "BATCH_SIZE",
          "MAX_CONCURRENCY",
          "EXTRA_SYMBOLS",
          "MARKET_CLOSURES",
        ),
        hostileText.map((text) => `${text}|`),
        (name, value) => {
          const runtime = createTestRuntime();
          const make = () => create({ [name]: value })(runtime);
          expect(make).toThrow(InvalidInputError);
          expect(make).toThrow(name);
          expect(runtime.store.calls).toEqual([]);
        },
      ),
      { numRuns: 500 },
    );
  });

  it.each([
    "http://169.254.169.254/latest/meta-data",
    "https://169.254.169.254/",
    "http://0xa9fea9fe/",
    "http://2852039166/",
    "http://0251.0376.0251.0376/",
    "http://[fd00:ec2::254]/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:127.0.0.1]/",
    "http://10.0.0.1:8080",
    "https://192.168.1.1",
    "http://0.0.0.0",
    "http://metadata.google.internal/",
    "http://query2.finance.yahoo.com",
    "http://localhost.attacker.example",
    "http://127.0.0.1.attacker.example",
    "https://127.0.0.1@attacker.example",
    "https://user:secret@query2.finance.yahoo.com",
    "https://query2.finance.yahoo.com?x=1",
    "https://query2.finance.yahoo.com#x",
    "https:\\\\attacker.example",
    "https:attacker.example",
    " https://query2.finance.yahoo.com",
    "https://query2.finance.yahoo.com\n",
    "ht\ntps://query2.finance.yahoo.com",
    "https://",
    "https:///etc/passwd",
    "file:///etc/passwd",
    "ftp://query2.finance.yahoo.com",
    "javascript:alert(1)",
    "//query2.finance.yahoo.com",
  ])("%j is no address to ask (X03)", (text) => {
    expect(isUpstreamAddress(text)).toBe(false);
    expect(() => sourceArgument(text)).toThrow(InvalidArgumentError);
  });

  it.each([
    "https://query2.finance.yahoo.com",
    "https://proxy.example:8443/yahoo/",
    "http://127.0.0.1:8080",
    "http://127.1.2.3",
    "http://[::1]:8080",
    "http://localhost:8080/",
    "http://sandbox:8080",
  ])("%j is one", (text) => {
    expect(isUpstreamAddress(text)).toBe(true);
    expect(sourceArgument(text)).toBe(text.replace(/\/$/, ""));
  });
});

describe("an argument of the command line with a hostile value", () => {
  it.each<[string, (text: string) => unknown, fc.Arbitrary<string>]>([
    ["date", dateArgument, hostileDate.filter((text) => !isTradingDate(text))],
    ["dates", datesArgument, hostileDate.map((text) => `${DAY},x${text}`)],
    ["symbol", symbolArgument, hostileText.filter((text) => !isSymbol(text.toUpperCase()))],
    ["symbol in letters of others", symbolArgument, fc.constantFrom("ﬁx", "ßx", "ſun", "BHİ", "ＢＨＰ", "bh\u212a")],
    ["symbols", symbolsArgument, hostileText.map((text) => `BHP,!${text}`)],
    ["number", wholeNumberArgument(0, 10), hostileText.filter((text) => !/^\d+$/.test(text))],
    ["rate", rateArgument, hostileText.filter((text) => !/^[\d.]+$/.test(text))],
    ["source", sourceArgument, hostileText],
    ["fault", faultArgument, hostileText],
    ["state machine", stateMachineArgument, hostileText],
  ])("is refused with what is allowed: %s", (_, parse, texts) => {
    fc.assert(
      fc.property(texts, (text) => {
        expect(() => parse(text)).toThrow(InvalidArgumentError);
      }),
    );
  });

  it("is refused in one readable line, with exit code 64", async () => {
    // Nothing with a mark like this is anything that is allowed: no run begins.
    const text = hostileText.map((value) => `${value} !`);
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(
          ["show", "--date"],
          ["run", "--date"],
          ["run", "--symbols"],
          ["run", "--source"],
          ["status", "--date"],
        ),
        text,
        async ([verb = "", option = ""], value) => {
          const { exitCode, stderr, stdout } = await asx([verb, `${option}=${value}`]);
          expect([exitCode, stdout]).toEqual([64, ""]);
          const [message = "", ...rest] = stderr.trimEnd().split("\n");
          expect(rest).toEqual(["(--help shows what is allowed)"]);
          expect(isCivil(message, 500)).toBe(true);
          expect(message).toContain(`option '${option}`);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("a key", () => {
  it("is not made of anything but a date and a number (X02)", () => {
    fc.assert(
      fc.property(
        hostileDate.filter((text) => !isTradingDate(text)),
        (date) => {
          for (const build of [
            symbolsKey,
            rawDataPrefix,
            runKey,
            runLockKey,
            (text: string) => rawDataKey({ date: text, batchNumber: 0 }),
          ]) {
            expect(() => build(date)).toThrow(InvalidInputError);
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it("of an address is made of an ASX code alone (X04)", () => {
    fc.assert(
      fc.property(
        hostileText.filter((text) => !isSymbol(text)),
        (text) => {
          expect(() => toTicker(text)).toThrow();
        },
      ),
      { numRuns: 1_000 },
    );
  });
});

describe("a store", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "asx-eod-test-"));
    await writeFile(join(folder, "canary"), "alive");
    await mkdir(join(folder, "sibling"));
    await writeFile(join(folder, "sibling", "canary"), "alive");
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** Whatever lies beside the store's own folder. */
  async function surroundings(): Promise<string[]> {
    const names = (await readdir(folder, { recursive: true })).filter((name) => !/^store(\/|$)/.test(name));
    return Promise.all(
      names.sort().map(async (name) => `${name} ${await readFile(join(folder, name), "utf8").catch(() => "")}`),
    );
  }

  it("in a folder refuses keys that would leave it, whatever is asked, and touches nothing", async () => {
    const before = await surroundings();
    const store = createLocalStore(join(folder, "store"));
    const key = fc
      .oneof(
        hostileText,
        hostileText.map((text) => `raw-data/${text}`),
        fc.constantFrom("../canary", "raw-data/../../canary"),
      )
      .filter((text) => !/^([\w=-][\w.=-]{0,199})(\/[\w=-][\w.=-]{0,199})*$/.test(text));
    await fc.assert(
      fc.asyncProperty(key, async (name) => {
        for (const call of [
          () => store.put(name, Uint8Array.of(1)),
          () => store.replace(name, Uint8Array.of(1), undefined),
          () => store.get(name),
          () => store.read(name),
          () => store.head(name),
          () => store.locate(name),
        ]) {
          const error = await thrownBy(call);
          expect(error).toBeInstanceOf(InvalidInputError);
          expect(isCivil(error.message, 700)).toBe(true);
        }
        const listed = await store.list(name).catch((error: unknown) => error);
        if (listed instanceof Error) expect(listed).toBeInstanceOf(InvalidInputError);
        else expect(listed).toEqual([]);
      }),
      { numRuns: 400 },
    );
    expect(await surroundings()).toEqual(before);
    expect(await readdir(folder)).not.toContain("store");
  });

  it("is not opened at a hostile address, which the message quotes", () => {
    const address = fc.oneof(
      fc
        .oneof(
          hostileText,
          hostileValue.filter((value) => typeof value !== "string"),
        )
        .filter((value) => typeof value !== "string" || !value.startsWith("file:")),
      hostileText.map((text) => `s3://bucket/../${text}`),
      hostileText.map((text) => `s3://bucket/${text}/..`),
      hostileText.map((text) => `file://host/${text}`),
      hostileText.map((text) => `file:./a\n${text}`),
      hostileText.map((text) => `file:./\u001b${text}`),
    );
    fc.assert(
      fc.property(address, (url) => {
        let message = "";
        try {
          checkStoreAddress(url as string);
        } catch (error) {
          if (!(error instanceof InvalidInputError)) throw error;
          message = error.message;
        }
        expect(message).toContain("is no address of a store");
        expect(isCivil(message, 1_000)).toBe(true);
        if (typeof url !== "string") return;
        expect(message).toContain(onOneLine(beginningOf(url)));
        expect(() => storeArgument(url)).toThrow(InvalidArgumentError);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("a directory with hostile names and codes", () => {
  const name = fc
    .oneof(hostileText, fc.constantFrom('=HYPERLINK("http://x")', "+1", "-1", "@A1"))
    .map((text) => text.slice(0, 500));

  it("is stored under its own key, in as many rows as it has codes, with nothing that a terminal or a spreadsheet obeys", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(name, name), { minLength: 1, maxLength: 8 }), async (companies) => {
        const cell = (text: string): string => `"${text.replaceAll('"', '""').replaceAll(/[\r\n]/g, " ")}"`;
        const lines = companies.map(([company, group], index) => `C${index}A,${cell(company)},${cell(group)},,`);
        const bad = companies.map(([code]) => `${cell(`../${code}`)},x,x,,`);
        const directory = ["ASX code,Company name,GICs industry group,Listing date,Market Cap", ...lines, ...bad].join(
          "\n",
        );
        const runtime = createTestRuntime({
          fetch: sandboxFetch(createTinyMarket({ directory, bars: {} }), () => Date.parse("2024-05-31T19:30:00+10:00"))
            .fetch,
        });
        const environment = { ASX_DIRECTORY_URL: "https://sandbox/asx-research/1.0/companies/directory/file" };
        const update = symbolUpdate.parse(await createSymbolUpdater(environment, runtime)({ date: DAY }));
        expect(update.symbols).toHaveLength(companies.length);
        expect(update.metadata.warnings.every((warning) => isCivil(warning, 2_000))).toBe(true);
        expect(runtime.logs.every((line) => isCivil(line, 2_000))).toBe(true);

        const key = `symbols/${DAY}-symbols.csv`;
        expect([...runtime.store.objects.keys()]).toEqual([key]);
        const bytes = runtime.store.objects.get(key) ?? new Uint8Array();
        const text = new TextDecoder().decode(bytes);
        expect(text.trimEnd().split("\n")).toHaveLength(companies.length + 1);
        expect(text.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/u);
        expect(text).not.toMatch(/[,\n]"?[=+\-@]/);
        expect(decodeSymbolsCsv(key, bytes).map(({ symbol }) => symbol)).toEqual(update.symbols);
      }),
      { numRuns: 100 },
    );
  });
});

describe("a run summary with hostile keys", () => {
  const summary = {
    version: 1,
    date: DAY,
    status: "complete",
    startedAt: "2024-05-31T09:30:00.000Z",
    finishedAt: "2024-05-31T09:37:00.000Z",
    symbols: { s3Key: null, source: "event", changes: SUMMARY_EVENT.metadata.changes, warnings: [], total: 1 },
    counts: { fetched: 1, noTrade: 0, notFound: 0, invalid: 0, failed: 0, deferred: 0 },
    rows: 1,
    outcomes: [],
  };
  const parse = (key: string, batches: readonly object[]) =>
    parseRunSummary(key, new TextEncoder().encode(JSON.stringify({ ...summary, batches })));
  const batch = { batchNumber: 0, rows: 1, bytes: 1, sha256: "0".repeat(64), durationMs: 1 };

  it("names files of its own date alone", () => {
    expect(parse(`runs/${DAY}.json`, [{ ...batch, key: `raw-data/${DAY}-batch-0.parquet` }]).rows).toBe(1);
    fc.assert(
      fc.property(
        fc.oneof(hostileText, fc.constantFrom("raw-data/2024-05-30-batch-0.parquet", `runs/${DAY}.json`)),
        (key) => {
          expect(() => parse(`runs/${DAY}.json`, [{ ...batch, key }])).toThrow(StoredFileError);
        },
      ),
    );
  });

  it("is of its own key's date", () => {
    expect(() => parse("runs/2024-05-30.json", [])).toThrow(StoredFileError);
  });
});
