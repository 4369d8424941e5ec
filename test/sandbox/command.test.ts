import { describe, expect, it } from "vitest";
import { FAULT_NAMES, FAULTS } from "../../sandbox/faults.ts";
import { asx } from "../support/test-terminal.ts";

const CHART = "/v8/finance/chart/BHP.AX?period1=1717113600&period2=1717200000&interval=1d";

/** Starts `asx sandbox`, asks it for the same chart so often and gives the answers. */
async function askSandbox(args: readonly string[], requests: number): Promise<Response[]> {
  let stop = (): void => undefined;
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
  });
  let announce = (_text: string): void => undefined;
  const announced = new Promise<string>((resolve) => {
    announce = resolve;
  });
  const ended = asx(["sandbox", "--port", "0", ...args], {
    interrupted: () => stopped,
    onOutput: (text) => announce(text),
  });
  const [url] = /http:\/\/127\.0\.0\.1:\d+/.exec(await announced) ?? [];
  const answers: Response[] = [];
  for (let request = 0; request < requests; request += 1) answers.push(await fetch(`${url}${CHART}`));
  stop();
  expect((await ended).exitCode).toBe(0);
  return answers;
}

describe("asx sandbox", () => {
  it("names every fault in its help, with what it does", async () => {
    const { stdout } = await asx(["sandbox", "--help"]);
    for (const name of FAULT_NAMES) {
      expect(stdout).toMatch(new RegExp(`^  ${name} +\\S`, "m"));
      expect(stdout).toContain(FAULTS[name].description);
    }
  });

  it("refuses charts above its limit and says how long to wait", async () => {
    const answers = await askSandbox(["--rate-limit", "1", "--rate-burst", "2"], 4);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 429, 429]);
    expect(answers[3]?.headers.get("retry-after")).toBe("1");
  });

  it("can leave that unsaid", async () => {
    const answers = await askSandbox(["--rate-limit", "1", "--no-retry-after"], 2);
    expect(answers[1]?.headers.get("retry-after")).toBeNull();
  });

  it("makes the faults that it is told to", async () => {
    const [answer] = await askSandbox(["--fault", "unknown-symbol=1,directory-html=1"], 1);
    expect(answer?.status).toBe(404);
  });

  it.each([
    [["--rate-limit", "0"], "from 1 to 1000"],
    [["--rate-burst", "3"], "--rate-limit"],
    [["--no-retry-after"], "--rate-limit"],
    [["--fault", "earthquake=1"], "names stand in asx sandbox --help"],
    [["--fault", "html=0.7,stall=0.7"], "1 at most"],
  ])("refuses %j with 64 and what is allowed", async (args, allowed) => {
    const { stderr, exitCode } = await asx(["sandbox", ...args], { interrupted: async () => undefined });
    expect([exitCode, stderr]).toEqual([64, expect.stringContaining(allowed)]);
  });
});
