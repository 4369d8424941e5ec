import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { FETCHER_GIGABYTES } from "../../cli/backfill-cost.ts";
import { backfillRecord } from "../../domain/backfill.ts";
import { backfillKey, backfillLockKey } from "../../domain/object-keys.ts";
import { takeRunLock } from "../../lambdas/runtime/run-lock.ts";
import { type Delivery, type RunningSandbox, startSandbox } from "../../sandbox/server.ts";
import { MEMORY_MEGABYTES } from "../../stacks/functions.ts";
import { createLocalStore } from "../../stores/local-store.ts";
import { startS3Server } from "../support/s3-server.ts";
import { createTestClock } from "../support/test-clock.ts";
import { EVENING } from "../support/test-runtime.ts";
import { asx } from "../support/test-terminal.ts";
import { createTinyMarket } from "../support/tiny-market.ts";

const FROM = "2024-05-27";
const TO = "2024-05-31";
const SPAN = { from: FROM, to: TO };

/** What the sandbox does to its answers; a test can change it. */
let delivery: Delivery;
let charts: string[];
let sandbox: RunningSandbox;
let folder: string;
let store: string;

beforeAll(async () => {
  const market = createTinyMarket({
    bars: { BHP: { [FROM]: {}, [TO]: { close: 10.1 } }, CBA: { [TO]: {}, "2024-05-30": { low: 12 } }, NAB: {} },
  });
  sandbox = await startSandbox({
    market,
    now: () => Date.parse(EVENING),
    delivery: (answer, request) => {
      if (request.ticker !== undefined) charts.push(request.ticker);
      return delivery(answer, request);
    },
  });
});
afterAll(() => sandbox.close());

beforeEach(async () => {
  delivery = async (answer) => answer;
  charts = [];
  folder = await mkdtemp(join(tmpdir(), "asx-eod-test-"));
  store = `file:${folder}`;
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** `asx backfill` of the week against the sandbox into the test's folder. */
function backfill(...more: string[]) {
  return asx(backfillArguments(...more));
}

function backfillArguments(...more: string[]): string[] {
  const where = ["--source", sandbox.url, "--rate", "unlimited", "--store", store];
  return ["backfill", "--from", FROM, ...where, ...more];
}

const down: Delivery = async (answer, { ticker }) =>
  ticker === "CBA.AX" ? { status: 403, contentType: "text/plain", body: "" } : answer;

describe("asx backfill", () => {
  it("fetches up to the last finished trading day, one request a symbol, and says what it came to and what to do next", async () => {
    const { stdout, exitCode } = await backfill();
    expect(exitCode).toBe(0);
    expect(charts.sort()).toEqual(["BHP.AX", "CBA.AX", "NAB.AX"]);
    expect(stdout).toMatch(
      /^ASX 2024-05-27 to 2024-05-31: complete in \d+\.\d s\. 3 bars of 3 symbols\. 3 requests\.$/m,
    );
    expect(stdout).toContain("Symbols: fetched 2, noTrade 1");
    expect(stdout).toContain("Left out: 1 row");
    expect(stdout).toContain(`Bars:    ${folder}/history/2024-05-27_2024-05-31-batch-*.parquet (1 file, `);
    expect(stdout).toContain(`Record:  ${folder}/backfills/2024-05-27_2024-05-31.json`);
    expect(stdout).toContain(`Look:    npx asx show --date ${TO} --symbol BHP --store ${store}`);
    expect(stdout).toContain(`Next:    npx asx compact --store ${store}`);
  });

  it("run again when it is whole asks for nothing, and says so", async () => {
    await backfill();
    charts = [];
    const { stdout, exitCode } = await backfill("--to", TO);
    expect([exitCode, charts]).toEqual([0, []]);
    expect(stdout).toContain("complete");
    expect(stdout).toContain("Nothing was left to fetch: no request was made.");
  });

  it("that is partial ends with 2 and says how to go on, on whatever day that is", async () => {
    delivery = down;
    const given = ["--accept-directory", "--batch-size", "50", "--max-concurrency", "1", "--extra-symbols", "XYZ"];
    const first = await backfill(...given);
    expect(first.exitCode).toBe(2);
    expect(first.stdout).toContain("Missing: 1 symbol is unfinished, such as CBA: ");
    const [, next = ""] = /^Next: +npx asx (.*)$/m.exec(first.stdout) ?? [];
    expect(next).toBe(
      `backfill --from ${FROM} --to ${TO} --extra-symbols XYZ --accept-directory --source ${sandbox.url} --batch-size 50 --max-concurrency 1 --rate unlimited --store ${store}`,
    );
    expect(first.stderr).toContain("NOTIFICATION asx-eod: a backfill is partial: ");
    delivery = async (answer) => answer;
    charts = [];
    const second = await asx(next.split(" "), { now: "2024-06-05T19:30:00+10:00" });
    expect([second.exitCode, charts]).toEqual([0, ["CBA.AX"]]);
  });

  it("begun on another day without --to tells of the one that is not whole, and of none that is", async () => {
    const later = { now: "2024-06-03T19:30:00+10:00" };
    delivery = down;
    await backfill();
    const hint = `a backfill from ${FROM} to ${TO} was begun and is not whole: --to ${TO} goes on with it`;
    expect((await asx(backfillArguments("--plan"), later)).stderr).toContain(hint);
    delivery = async (answer) => answer;
    await backfill();
    expect((await asx(backfillArguments("--plan"), later)).stderr).not.toContain("was begun");
  });

  it("begun again without --to on another day says first what it asks for again, and what is enough", async () => {
    await backfill();
    const again = `the backfill from ${FROM} to ${TO} is complete, and this one asks for its dates again: about `;
    const hintOf = async (now: string, ...more: string[]): Promise<string> => {
      const { stderr } = await asx(backfillArguments("--plan", ...more), { now });
      const [, hint = stderr] = stderr.split(again);
      return hint.split("\n")[0] ?? "";
    };
    const days = "3 requests. For the 2 trading days since --from 2024-06-03 is enough, and so is asx catch-up";
    expect(await hintOf("2024-06-04T19:30:00+10:00")).toBe(days);
    expect(await hintOf("2024-06-04T19:30:00+10:00", "--symbols", "BHP")).toContain("1 request. For the 2 trading");
    expect(await hintOf("2024-07-15T19:30:00+10:00")).toContain("and so is asx catch-up --days 43");
    expect(await hintOf("2024-12-16T19:30:00+10:00")).toMatch(/trading days since --from 2024-06-03 is enough$/);
    const given = await asx(backfillArguments("--plan", "--to", TO), { now: "2024-06-04T19:30:00+10:00" });
    expect(given.stderr).not.toContain("is enough");
  });

  it("says nothing of one that was begun where a complete one has its dates", async () => {
    const span = { from: FROM, to: "2024-05-30" };
    await createLocalStore(folder).put(backfillLockKey(span), new TextEncoder().encode("{}"));
    const later = { now: "2024-06-03T19:30:00+10:00" };
    expect((await asx(backfillArguments("--plan"), later)).stderr).toContain("to 2024-05-30 was begun");
    await backfill();
    expect((await asx(backfillArguments("--plan"), later)).stderr).not.toContain("was begun");
  });

  it("without a bar ends with 1", async () => {
    const { stdout, exitCode } = await backfill("--symbols", "NAB");
    expect(exitCode).toBe(1);
    expect(stdout).toContain("ASX 2024-05-27 to 2024-05-31: failed");
  });

  it("with --json prints the record and nothing else", async () => {
    const { stdout } = await backfill("--json");
    const stored = new TextDecoder().decode(await createLocalStore(folder).get(backfillKey(SPAN)));
    expect(backfillRecord.parse(JSON.parse(stdout))).toEqual(JSON.parse(stored));
  });

  it("off a terminal logs how far it is, and on one shows a table of the outcomes and no log", async () => {
    const plain = await backfill("--batch-size", "2", "--max-concurrency", "1");
    expect(plain.stderr).toContain("INFO 3 of 3 symbols done, 3 requests");
    await rm(folder, { recursive: true });
    const watched = await asx(backfillArguments(), { interactive: true });
    expect(watched.stdout).toMatch(/outcome +symbols +meaning\nfetched +2 /);
    expect(watched.stderr).toContain(`ASX ${FROM} to ${TO}, from ${sandbox.url} into ${store}`);
    expect(watched.stderr).not.toContain("INFO");
  });

  it("takes named symbols, and adds the others to them later", async () => {
    expect((await backfill("--symbols", "bhp")).exitCode).toBe(0);
    expect(charts).toEqual(["BHP.AX"]);
    charts = [];
    expect((await backfill()).exitCode).toBe(0);
    expect(charts.sort()).toEqual(["CBA.AX", "NAB.AX"]);
  });

  it("leaves a span to the process that has it, and ends with 1", async () => {
    const locked = createLocalStore(folder);
    const owner = { run: "another", process: { host: "test", pid: 4711 } };
    await takeRunLock(locked, `${FROM}_${TO}`, owner, { clock: createTestClock(EVENING), expiresAfterMs: 60_000 });
    const { stderr, exitCode } = await asx(backfillArguments(), { isAlive: (pid) => pid === 4711 });
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`the backfill of ${FROM} to ${TO} is being run by process 4711 on test`);
    expect(charts).toEqual([]);
    expect((await backfill()).exitCode).toBe(0); // the process is dead
  });

  it("tells on Ctrl-C what stays and how to go on", async () => {
    let interrupt = (): void => undefined;
    const interrupted = new Promise<void>((resolve) => {
      interrupt = resolve;
    });
    delivery = async (answer) => {
      interrupt();
      return answer;
    };
    const quits: number[] = [];
    const { stderr } = await asx(backfillArguments(), {
      interrupted: () => interrupted,
      onQuit: (code) => quits.push(code),
    });
    expect(quits).toEqual([130]);
    expect(stderr).toContain(
      `asx: interrupted; every history that was fetched stays, and this goes on from there: npx asx backfill --from ${FROM} --to ${TO}`,
    );
  });

  it.each([
    [
      ["--to", "2024-06-03"],
      "the backfill ends on 2024-06-03, but the last session whose prices have settled is of 2024-05-31",
    ],
    [["--to", "2024-05-24"], "the backfill begins on 2024-05-27, after it ends on 2024-05-24"],
    [["--from", "1996-12-31"], "the backfill begins on 1996-12-31; the calendar begins on 1997-01-01"],
    [["--from", "2024-05-25", "--to", "2024-05-26"], "the exchange has no session in 2024-05-25_2024-05-26"],
  ])("refuses %j", async (more, message) => {
    const { stderr, exitCode } = await backfill(...more);
    expect(exitCode).toBe(64);
    expect(stderr).toContain(message);
    expect(await readdir(folder)).toEqual([]);
  });

  it("is refused beside bars of another source, and so is a day beside a backfill's", async () => {
    await backfill();
    const real = ["--source", "live", "--store", store];
    for (const command of [
      ["backfill", "--from", "2024-05-20"],
      ["run", "--date", TO],
    ]) {
      const { stderr, exitCode } = await asx([...command, ...real]);
      expect(exitCode).toBe(64);
      expect(stderr).toContain(
        `${store} holds bars of another source (history/2024-05-27_2024-05-31-batch-0.parquet: stand-in, this run has yahoo)`,
      );
    }
  });
});

describe("asx backfill --plan", () => {
  it("says what it would take, and writes nothing, takes no lock and asks for no price", async () => {
    const { stdout, exitCode } = await backfill("--plan", "--rate", "5");
    expect(exitCode).toBe(0);
    expect(stdout).toContain("ASX 2024-05-27 to 2024-05-31: 5 trading days, 3 symbols, 0 of them stored already.");
    expect(stdout).toMatch(/^requests +3, one a symbol/m);
    expect(stdout).toMatch(/^minutes +0\.0 at 5 requests a second/m);
    expect(stdout).toMatch(/^files +1$/m);
    expect(stdout).toMatch(/^dollars here +0: the store is a folder/m);
    expect(stdout).not.toContain("dollars in AWS");
    expect([charts, await readdir(folder)]).toEqual([[], []]);
  });

  it("counts what is stored already, also while another run has the span", async () => {
    await backfill("--symbols", "BHP,CBA");
    const clock = createTestClock(EVENING);
    await takeRunLock(createLocalStore(folder), `${FROM}_${TO}`, { run: "another" }, { clock, expiresAfterMs: 60_000 });
    const { stdout, exitCode } = await backfill("--plan", "--json");
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      backfill: SPAN,
      sessions: 5,
      symbols: 3,
      finished: 2,
      requestsPerSecond: null,
      estimate: { requests: 1, minutes: null, files: 1, bars: 5 },
      dollars: { here: null, aws: null },
    });
  });

  it("has dollars for a bucket, here and in AWS, with their sources", async () => {
    const s3 = await startS3Server();
    vi.stubEnv("AWS_ACCESS_KEY_ID", "S3RVER")
      .stubEnv("AWS_SECRET_ACCESS_KEY", "S3RVER")
      .stubEnv("AWS_REGION", "ap-southeast-2");
    try {
      const bucket = `s3://${await s3.makeBucket()}`;
      const environment = { AWS_ENDPOINT_URL_S3: s3.endpoint };
      const args = [
        "backfill",
        "--from",
        "2014-06-02",
        "--plan",
        "--rate",
        "5",
        "--source",
        sandbox.url,
        "--store",
        bucket,
      ];
      const text = await asx(args, { environment });
      expect(text.stdout).toMatch(
        /^dollars in AWS +0\.00\d+ \(S3 requests 0\.\d+, Lambda 0\.\d+, state transitions 0\.\d+\), and 0\.0000 a month/m,
      );
      expect(text.stdout).toContain("https://aws.amazon.com/step-functions/pricing/");
      const { dollars } = JSON.parse((await asx([...args, "--json"], { environment })).stdout);
      expect(dollars.here).toMatchObject({ lambda: 0, transitions: 0 });
      expect(dollars.aws.once).toBeCloseTo(dollars.aws.s3Requests + dollars.aws.lambda + dollars.aws.transitions, 12);
      expect(dollars.aws.once).toBeGreaterThan(dollars.here.once);
    } finally {
      vi.unstubAllEnvs();
      await s3.close();
    }
  });

  it("works with the memory that the fetcher has in AWS", () => {
    expect(FETCHER_GIGABYTES * 1024).toBe(MEMORY_MEGABYTES["batch-fetcher"]);
  });
});

describe("asx status of a store with a backfill alone", () => {
  const status = (...more: string[]) => asx(["status", "--store", store, ...more]);

  it("tells of its last date, and of each trading day of it", async () => {
    await backfill();
    const newest = await status();
    expect(newest.stdout).toMatch(/^ASX 2024-05-31: complete by a backfill, as of .*; it has no run of its own$/m);
    expect(newest.stdout).toContain("Bars:    2 of 3 symbols\nFiles:   1 file of 2024-05-27 to 2024-05-31 (");
    expect(newest).toMatchObject({ stderr: "", exitCode: 0 });
    const json = JSON.parse((await status("--date", "2024-05-28", "--json")).stdout);
    expect(json).toMatchObject({ status: "complete", rows: 0, symbols: 3, files: [{ state: "ok" }], unfinished: [] });
    expect((await status("--date", "2024-05-24")).stdout).toContain("holds nothing");
  });

  it("tells what is unfinished, and a file that is gone or changed", async () => {
    delivery = down;
    await backfill();
    const partial = await status();
    expect(partial).toMatchObject({ exitCode: 2, stdout: expect.stringContaining("To fetch again: 1 symbol;") });
    const [file = ""] = await readdir(join(folder, "history"));
    await writeFile(join(folder, "history", file), "PAR1");
    expect(await status()).toMatchObject({
      exitCode: 1,
      stdout: expect.stringContaining(`Changed: ${folder}/history/`),
    });
    await rm(join(folder, "history", file));
    expect(await status()).toMatchObject({
      exitCode: 1,
      stdout: expect.stringContaining(`Missing: ${folder}/history/`),
    });
  });

  it("of named symbols says so", async () => {
    await backfill("--symbols", "BHP");
    expect((await status()).stdout).toContain("Bars:    1 of 1 symbol, named by hand");
  });
});
