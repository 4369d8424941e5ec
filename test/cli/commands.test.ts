import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import * as z from "zod";
import { runSummary } from "../../domain/run-summary.ts";
import { encodeBatchFile } from "../../lambdas/runtime/batch-file-writer.ts";
import { type Delivery, type RunningSandbox, startSandbox } from "../../sandbox/server.ts";
import { startS3Server } from "../support/s3-server.ts";
import { EVENING } from "../support/test-runtime.ts";
import { asx } from "../support/test-terminal.ts";
import { createTinyMarket } from "../support/tiny-market.ts";

const DAY = "2024-05-31";

/** What the sandbox does to its answers; a test can change it. */
let delivery: Delivery;
let requests: number;
let sandbox: RunningSandbox;
let folder: string;
let store: string;

beforeAll(async () => {
  const market = createTinyMarket({ bars: { BHP: { [DAY]: { close: 10.1 } }, CBA: { [DAY]: {} }, NAB: {} } });
  sandbox = await startSandbox({
    market,
    now: () => Date.parse(EVENING),
    delivery: (answer, request) => {
      requests += 1;
      return delivery(answer, request);
    },
  });
});
afterAll(() => sandbox.close());

beforeEach(async () => {
  delivery = async (answer) => answer;
  requests = 0;
  folder = await mkdtemp(join(tmpdir(), "asx-eod-test-"));
  store = `file:${folder}`;
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** `asx run` of the day against the sandbox into the test's folder. */
function run(...more: string[]) {
  return asx([...runArguments(), ...more]);
}

function runArguments(): string[] {
  return ["run", "--source", sandbox.url, "--rate", "unlimited", "--store", store];
}

const down: Delivery = async (answer, { ticker }) =>
  ticker === "CBA.AX" ? { status: 403, contentType: "text/plain", body: "" } : answer;

describe("asx run", () => {
  it("stores the last finished trading day and says where the files are and how to look at them", async () => {
    const { stdout, exitCode } = await run();
    expect(exitCode).toBe(0);
    expect(stdout).toContain(`ASX ${DAY}: complete`);
    expect(stdout).toContain("2 bars of 3 symbols");
    expect(stdout).toContain(join(folder, "raw-data"));
    expect(stdout).toContain(`npx asx show --date ${DAY} --symbol BHP --store ${store}`);
    expect(await readdir(join(folder, "raw-data"))).toEqual([`${DAY}-batch-0.parquet`]);
  });

  it("with --json prints the run summary and nothing else", async () => {
    const { stdout, exitCode } = await run("--json", "--date", DAY);
    expect(exitCode).toBe(0);
    const stored = await readFile(join(folder, "runs", `${DAY}.json`), "utf8");
    expect(runSummary.parse(JSON.parse(stdout))).toEqual(JSON.parse(stored));
  });

  it("off a terminal keeps its logs on standard error and shows no progress", async () => {
    const { stdout, stderr } = await run();
    expect(stderr).toMatch(/^2024-05-31T09:30:00.000Z INFO symbols of 2024-05-31 done/);
    expect(stdout).not.toContain("INFO");
    expect(stdout + stderr).not.toContain("\u001b[");
  });

  it("on a terminal shows progress on standard error and a table of the outcomes", async () => {
    const args = ["run", "--source", sandbox.url, "--rate", "unlimited", "--store", store];
    const { stdout, stderr } = await asx(args, { interactive: true });
    expect(stdout).toMatch(/outcome +symbols +meaning\nfetched +2 /);
    expect(stdout).not.toContain("\u001b[");
    expect(stderr).not.toContain("INFO");
    expect(stderr).toContain(`ASX ${DAY}, from ${sandbox.url} into ${store}`);
  });

  it("on a terminal tells of a state that is tried again while there is no progress to show", async () => {
    delivery = async () => ({ status: 404, contentType: "text/html", body: "" });
    const { stderr } = await asx(["run", "--source", sandbox.url, "--store", store], { interactive: true });
    expect(stderr.match(/WARN UpdateSymbols is tried again$/gm)).toHaveLength(3);
  });

  it("of a closed day ends well and fetches nothing", async () => {
    const { stdout, exitCode } = await run("--date", "2024-04-25");
    expect({ stdout, exitCode, requests }).toEqual({
      stdout: "ASX 2024-04-25: the market was closed; nothing was fetched.\n",
      exitCode: 0,
      requests: 0,
    });
  });

  it("of a day with a failed symbol ends with 2, and its notification is printed", async () => {
    delivery = down;
    const { stdout, stderr, exitCode } = await run();
    expect(exitCode).toBe(2);
    expect(stdout).toContain("partial");
    expect(stderr).toContain("NOTIFICATION asx-eod: a day is partial");
  });

  it("without a single bar ends with 1", async () => {
    delivery = async (answer, { ticker }) =>
      ticker === undefined ? answer : { status: 403, contentType: "", body: "" };
    expect((await run()).exitCode).toBe(1);
  });

  it("without a directory ends with 1, says why and prints nothing as a result", async () => {
    delivery = async () => ({ status: 404, contentType: "text/html", body: "" });
    const { stdout, stderr, exitCode } = await run("--json");
    expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 1 });
    expect(stderr).toContain("HTTP 404");
    expect(stderr).toContain("broke off");
  });

  it("takes just the named symbols, in either case, and no directory", async () => {
    const { stdout } = await run("--symbols", "bhp,NAB", "--json");
    expect(JSON.parse(stdout)).toMatchObject({
      counts: { fetched: 1, noTrade: 1 },
      symbols: { source: "event", total: 2 },
    });
    expect(requests).toBe(2);
  });

  it("takes extra symbols and closures from options and from the environment", async () => {
    const { stdout } = await run("--extra-symbols", "VAS", "--json");
    expect(JSON.parse(stdout).symbols.total).toBe(4);
    const environment = { MARKET_CLOSURES: DAY };
    const refused = await run("--date", DAY, "--closures", DAY);
    expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("closed by the calendar, but") });
    const args = ["run", "--source", sandbox.url, "--store", `${store}/other`, "--date", DAY];
    expect((await asx([...args, "--closures", DAY])).stdout).toContain("the market was closed");
    expect((await asx(args, { environment })).stdout).toContain("2024-05-31: the market was closed");
  });

  it("cuts batches as asked", async () => {
    await run("--batch-size", "1");
    expect(await readdir(join(folder, "raw-data"))).toHaveLength(3);
  });

  it("of a made-up market in the process runs a whole day", async () => {
    const { stdout, exitCode } = await asx([
      "run",
      "--source",
      "sandbox",
      "--symbols",
      "BHP,CBA,ZZZ",
      "--store",
      store,
      "--date",
      "2024-05-30",
      "--json",
    ]);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ counts: { fetched: 2, notFound: 1 } });
  });

  it("ends at once with 130 on Ctrl-C, and says that running again goes on", async () => {
    let quitWith: number | undefined;
    const onQuit = (code: number): void => {
      quitWith = code;
    };
    const args = ["run", "--source", sandbox.url, "--rate", "unlimited", "--store", store];
    const { stderr } = await asx(args, { interrupted: async () => undefined, onQuit });
    expect(quitWith).toBe(130);
    expect(stderr).toContain("running the date again goes on from there");
  });

  it("does not mix made-up and real bars of a date", async () => {
    await run();
    requests = 0;
    const { stderr, exitCode } = await asx(["run", "--store", store, "--date", DAY]);
    expect({ exitCode, requests }).toEqual({ exitCode: 64, requests: 0 });
    expect(stderr).toContain("holds bars of another source (stand-in, this run has yahoo)");
  });

  it("does not put real bars beside made-up ones of other dates, and says what to do", async () => {
    await run();
    requests = 0;
    const { stdout, stderr, exitCode } = await asx(["run", "--store", store, "--date", "2024-05-30"]);
    expect({ stdout, exitCode, requests }).toEqual({ stdout: "", exitCode: 64, requests: 0 });
    expect(stderr).toContain(`${store} holds bars of another source (raw-data/${DAY}-batch-0.parquet: stand-in,`);
    expect(stderr).toContain("say --source sandbox to go on with made-up bars, or name another --store");
  });

  it("does not put made-up bars beside real ones of other dates", async () => {
    await mkdir(join(folder, "raw-data"));
    const real = await encodeBatchFile({ bars: [], reports: [], source: "yahoo" });
    await writeFile(join(folder, "raw-data", "2024-05-29-batch-0.parquet"), real);
    const { stderr, exitCode } = await run();
    expect({ exitCode, requests }).toEqual({ exitCode: 64, requests: 0 });
    expect(stderr).toContain("2024-05-29-batch-0.parquet: yahoo, this run has stand-in); name another --store");
  });

  it("runs beside days that cannot be read or do not say where they came from", async () => {
    await mkdir(join(folder, "raw-data"));
    await writeFile(join(folder, "raw-data", "2024-05-30-batch-0.parquet"), "no parquet");
    expect(await run()).toMatchObject({ exitCode: 0 });
  });

  it("refuses today before its prices have settled", async () => {
    const args = ["run", "--source", sandbox.url, "--store", store, "--date", DAY];
    const { stderr, exitCode } = await asx(args, { now: `${DAY}T18:59:00+10:00` });
    expect({ exitCode, requests }).toEqual({ exitCode: 64, requests: 0 });
    expect(stderr).toContain("from 19:00 in Sydney");
  });

  it.each([
    [["--date", "2024-02-30"], "YYYY-MM-DD"],
    [["--date", "2024-06-03"], "2024-06-03 is still to come: today is 2024-05-31 in Sydney"],
    [["--date", "2024-06-01"], "2024-06-01 is still to come: today is 2024-05-31 in Sydney"],
    [["--store", "ftp://x"], "s3://BUCKET"],
    [["--store", "s3://B"], "s3://BUCKET"],
    [["--source", "yahoo"], "live, sandbox"],
    [["--symbols", "BHP,../x"], "ASX codes"],
    [["--batch-size", "0"], "from 1 to 1000"],
    [["--max-concurrency", "41"], "from 1 to 40"],
    [["--rate", "0"], "0.01 to 1000"],
    [["--rate", "fast"], "unlimited"],
    [["--closures", "soon"], "YYYY-MM-DD"],
    [["--no-such-option"], "unknown option"],
    [["extra"], "too many arguments"],
  ])("refuses %j with 64, what was wrong and what is allowed, and does nothing", async (args, allowed) => {
    const { stdout, stderr, exitCode } = await run(...args);
    expect(exitCode).toBe(64);
    expect(stderr).toContain(allowed);
    expect(stdout).toBe("");
    expect(requests).toBe(0);
    expect(await readdir(folder)).toEqual([]);
  });
});

describe("asx run of a date that is being run", () => {
  const LOCK = join("runs", `${DAY}.lock`);

  async function lockOf(pid: number, host: string): Promise<void> {
    await mkdir(join(folder, "runs"), { recursive: true });
    const instants = {
      takenAt: "2024-05-31T09:29:50.000Z",
      expiresAt: "2024-05-31T09:30:50.000Z",
      expiresAfterMs: 60_000,
    };
    await writeFile(join(folder, LOCK), JSON.stringify({ run: "another", process: { host, pid }, ...instants }));
  }

  it("stops, says whose it is and what to do, and asks nothing", async () => {
    await lockOf(4711, "test");
    const { stderr, stdout, exitCode } = await asx(runArguments(), { isAlive: (pid) => pid === 4711 });
    expect([stdout, exitCode, requests]).toEqual(["", 1, 0]);
    expect(stderr).toContain(
      "asx: 2024-05-31 is being run by process 4711 on test since 2024-05-31T09:29:50.000Z; wait for it to end",
    );
    expect(await readdir(folder)).toEqual(["runs"]);
  });

  it.each([
    ["by a process of this machine that is dead", "test", 0],
    ["by another machine, whose processes nobody here can ask for", "elsewhere", 1],
  ])("%s ends with %s", async (_, host, exitCode) => {
    await lockOf(4711, host);
    expect(await asx(runArguments())).toMatchObject({ exitCode });
  });

  it("leaves the date free when it has ended, well or not", async () => {
    delivery = async () => ({ status: 403, contentType: "text/plain", body: "no" });
    const lock = z.object({ takenAt: z.string(), expiresAt: z.string() });
    for (const exitCode of [1, 0]) {
      expect(await run()).toMatchObject({ exitCode });
      // Seconds pass by the test's clock while a run waits for its retries, but no minute.
      const { takenAt, expiresAt } = lock.parse(JSON.parse(await readFile(join(folder, LOCK), "utf8")));
      expect(Date.parse(expiresAt) - Date.parse(takenAt)).toBeLessThan(60_000);
      delivery = async (answer) => answer;
    }
  });
});

describe("asx status", () => {
  it("shows the newest date of the store: status, outcomes, files and rows", async () => {
    await run();
    const { stdout, exitCode } = await asx(["status", "--store", store]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain(`ASX ${DAY}: complete`);
    expect(stdout).toMatch(/noTrade +1 /);
    expect(stdout).toContain("2 of 3 symbols, in 1 file (");
  });

  it("names what is to be fetched again, and ends with 2", async () => {
    delivery = down;
    await run();
    const { stdout, exitCode } = await asx(["status", "--store", store]);
    expect(exitCode).toBe(2);
    expect(stdout).toContain("To fetch again: 1\n  CBA (HTTP 403 after 1 attempt)");
    expect(stdout).toContain("Traded:  1 symbol; too few whole sessions are stored before it to compare with");
    expect(stdout).toMatch(/^Asked: {3}5 requests, 0 of them retries, 0 answered 429, in 3 rounds$/m);
  });

  it("finds a damaged and a missing file, and ends with 1", async () => {
    await run("--batch-size", "2");
    await writeFile(join(folder, "raw-data", `${DAY}-batch-0.parquet`), "no parquet");
    await rm(join(folder, "raw-data", `${DAY}-batch-1.parquet`));
    const { stdout, exitCode } = await asx(["status", "--store", store]);
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/Missing files: 1\n {2}.*batch-1.parquet/);
    expect(stdout).toMatch(/Changed files: 1\n {2}.*batch-0.parquet/);
    const { files } = JSON.parse((await asx(["status", "--store", store, "--json"])).stdout);
    expect(files.map(({ state }: { state: string }) => state)).toEqual(["changed", "missing"]);
  });

  it("of an empty store says how to fill it, and ends with 1", async () => {
    const { stdout, exitCode } = await asx(["status", "--store", store]);
    expect(exitCode).toBe(1);
    expect(stdout).toContain(`npx asx run --date ${DAY}`);
  });

  it("of files without a run summary says that a run has not ended", async () => {
    await run();
    await rm(join(folder, "runs"), { recursive: true });
    const { stdout, exitCode } = await asx(["status", "--store", store, "--date", DAY]);
    expect(exitCode).toBe(1);
    expect(stdout).toContain("no run summary, but 1 file:");
  });

  it("of a closed day says so", async () => {
    await run("--date", "2024-04-25");
    expect(await asx(["status", "--store", store])).toMatchObject({
      stdout: "ASX 2024-04-25: the market was closed.\n",
      exitCode: 0,
    });
  });
});

describe("a date that is not stored", () => {
  it.each([
    ["status", "stdout"],
    ["show", "stderr"],
  ] as const)("makes asx %s say how to fetch it into that very store", async (verb, stream) => {
    const result = await asx([verb, "--date", "2024-05-30", "--store", store]);
    expect(result.exitCode).toBe(1);
    expect(result[stream]).toContain(`npx asx run --date 2024-05-30 --store ${store}\n`);
  });

  it.each([
    ["status", "stdout"],
    ["show", "stderr"],
    ["merge", "stderr"],
  ] as const)("of a store of made-up bars makes asx %s name their source in the command", async (verb, stream) => {
    await run();
    const result = await asx([verb, "--date", "2024-05-30", "--store", store]);
    expect(result.exitCode).toBe(1);
    expect(result[stream]).toContain(`npx asx run --date 2024-05-30 --store ${store} --source sandbox\n`);
  });
});

describe("asx show", () => {
  it("warns of a day that is not whole, and of one without a run summary, on standard error", async () => {
    delivery = down;
    await run();
    const partial = await asx(["show", "--date", DAY, "--store", store]);
    expect(partial.stderr).toContain(`${DAY} is partial: see npx asx status --date ${DAY} --store ${store}`);
    expect(partial.exitCode).toBe(0);
    await rm(join(folder, "runs", `${DAY}.json`));
    const unfinished = await asx(["show", "--date", DAY, "--store", store]);
    expect(unfinished.stderr).toContain(`A run of ${DAY} is under way or broke off: bars may be missing`);
  });

  it("shows the bars of a date as a table", async () => {
    await run();
    const { stdout, exitCode } = await asx(["show", "--date", DAY, "--store", store]);
    expect(exitCode).toBe(0);
    expect(
      stdout
        .split("\n")
        .map((line) => line.trim().split(/ +/))
        .slice(0, 3),
    ).toEqual([
      [
        "symbol",
        "date",
        "open",
        "high",
        "low",
        "close",
        "adjusted_close",
        "volume",
        "dividend",
        "split_ratio",
        "batch_number",
      ],
      ["BHP", DAY, "10", "11", "9", "10.1", "10.25", "1,000", "0"],
      ["CBA", DAY, "10", "11", "9", "10.5", "10.25", "1,000", "0"],
    ]);
  });

  it("shows one symbol, in either case, or so many bars and how many there are", async () => {
    await run();
    expect((await asx(["show", "--date", DAY, "--store", store, "--symbol", "cba"])).stdout).not.toContain("BHP");
    expect((await asx(["show", "--date", DAY, "--store", store, "--limit", "1"])).stdout).toContain("(1 of 2 bars");
  });

  it("with --json prints the bars", async () => {
    await run();
    const { stdout } = await asx(["show", "--date", DAY, "--store", store, "--json"]);
    expect(JSON.parse(stdout)).toMatchObject([{ symbol: "BHP", close: 10.1, volume: 1000 }, { symbol: "CBA" }]);
  });

  it.each([
    ["a date that is not stored", ["--date", "2024-05-30"], "holds no bars of 2024-05-30"],
    ["a symbol without a bar", ["--date", DAY, "--symbol", "NAB"], "NAB has no bar"],
  ])("of %s ends with 1 and says what to do", async (_, args, message) => {
    await run();
    const { stderr, exitCode } = await asx(["show", "--store", store, ...args]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(message);
  });

  it("of a closed day shows no bar and ends well", async () => {
    await run("--date", "2024-04-25");
    expect(await asx(["show", "--date", "2024-04-25", "--store", store])).toMatchObject({ stdout: "", exitCode: 0 });
  });

  it("of a damaged file ends with 1 and names it", async () => {
    await run();
    await writeFile(join(folder, "raw-data", `${DAY}-batch-0.parquet`), "no parquet");
    const { stderr, exitCode } = await asx(["show", "--date", DAY, "--store", store]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`${DAY}-batch-0.parquet is not the file`);
  });

  it("without a date is bad usage", async () => {
    expect((await asx(["show", "--store", store])).exitCode).toBe(64);
  });
});

describe("a store in S3", () => {
  it("takes a day, tells how it stands and gives it back, over the wire", async () => {
    const server = await startS3Server();
    try {
      const environment = { AWS_ENDPOINT_URL_S3: server.endpoint };
      vi.stubEnv("AWS_ACCESS_KEY_ID", "S3RVER")
        .stubEnv("AWS_SECRET_ACCESS_KEY", "S3RVER")
        .stubEnv("AWS_REGION", "ap-southeast-2");
      const url = `s3://${await server.makeBucket()}/some/folder`;
      const ran = await asx(["run", "--source", sandbox.url, "--rate", "unlimited", "--store", url], { environment });
      expect(ran).toMatchObject({ exitCode: 0, stdout: expect.stringContaining(`${url}/runs/${DAY}.json`) });
      expect(await asx(["status", "--store", url], { environment })).toMatchObject({ exitCode: 0 });
      const { stdout } = await asx(["show", "--date", DAY, "--store", url, "--json"], { environment });
      expect(JSON.parse(stdout)).toMatchObject([{ symbol: "BHP", close: 10.1 }, { symbol: "CBA" }]);
      const asked = await asx(["query", "select count(*) as n from bars", "--store", url], { environment });
      expect(asked).toEqual({ stdout: "n\n2\n", stderr: "", exitCode: 0 });
      expect(await asx(["missing", "--store", url], { environment })).toMatchObject({ stderr: "", exitCode: 0 });
    } finally {
      vi.unstubAllEnvs();
      await server.close();
    }
  });
});

describe("asx sandbox", () => {
  it("serves a made-up market until it is interrupted", async () => {
    let stop = (): void => undefined;
    const stopped = new Promise<void>((resolve) => {
      stop = resolve;
    });
    let announce = (_url: string): void => undefined;
    const announced = new Promise<string>((resolve) => {
      announce = resolve;
    });
    const ended = asx(["sandbox", "--port", "0", "--seed", "7"], {
      interrupted: () => stopped,
      onOutput: (text) => announce(text),
    });
    const url = /http:\/\/127\.0\.0\.1:\d+/.exec(await announced)?.[0];
    expect(
      (await fetch(`${url}/v8/finance/chart/BHP.AX?period1=1717113600&period2=1717200000&interval=1d`)).status,
    ).toBe(200);
    stop();
    expect((await ended).exitCode).toBe(0);
    await expect(fetch(String(url))).rejects.toThrow(TypeError);
  });

  it.each([
    [["--replay", "nowhere", "--directory", "nothing.csv"], "nothing.csv"],
    [["--replay", "nowhere"], "--directory"],
    [["--directory", "x.csv"], "--replay"],
    [["--port", "70000"], "from 0 to 65535"],
    [["--latency-ms", "-1"], "from 0 to 60000"],
  ])("refuses %j with 64 and what is allowed", async (args, allowed) => {
    const { stderr, exitCode } = await asx(["sandbox", ...args], { interrupted: async () => undefined });
    expect(exitCode).toBe(64);
    expect(stderr).toContain(allowed);
  });

  it("refuses a port that is taken", async () => {
    const port = new URL(sandbox.url).port;
    const { stderr, exitCode } = await asx(["sandbox", "--port", port], { interrupted: async () => undefined });
    expect(exitCode).toBe(64);
    expect(stderr).toContain(port);
  });
});

describe("asx --help", () => {
  it.each(["", "run", "execute", "status", "show", "query", "missing", "merge", "compact", "sandbox"])(
    "of %j has examples and exit codes, and ends well",
    async (verb) => {
      const { stdout, exitCode } = await asx([...(verb === "" ? [] : [verb]), "--help"]);
      expect(exitCode).toBe(0);
      expect(stdout).toContain("Examples:");
      expect(stdout).toMatch(/Exit codes: 0 .*64 bad usage/s);
    },
  );

  it("names every exit code, and asx execute beside what it does elsewhere", async () => {
    const { stdout } = await asx(["--help"]);
    expect(stdout).toContain(
      "0 done, 1 failed, 2 a run is partial or days are missing, 64 bad usage, 130 interrupted.",
    );
    expect(stdout).toMatch(/^ {2}asx run {2}.*\n {2}asx execute .* the same where it is deployed\n {2}asx status /m);
  });

  it("says of asx execute what becomes of a date that another execution has", async () => {
    const { stdout } = await asx(["execute", "--help"]);
    expect(stdout).toContain("Where another execution has the date");
  });

  it("without a verb shows the help and is bad usage", async () => {
    const { stderr, exitCode } = await asx([]);
    expect(exitCode).toBe(64);
    expect(stderr).toContain("Examples:");
  });
});
