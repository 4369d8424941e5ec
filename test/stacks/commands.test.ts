import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "../..");

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "asx-eod-commands-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(script: string, args: readonly string[], environment: Record<string, string>): Ended {
  const { status, stdout, stderr } = spawnSync(process.execPath, [`stacks/${script}.ts`, ...args], {
    cwd: ROOT,
    env: { PATH: process.env["PATH"] ?? "", ...environment },
    encoding: "utf8",
  });
  return { code: status, stdout, stderr };
}

/** A stand-in for Terraform that writes down what it is asked and ends with a code for a command. */
function fakeTerraform(codes: Record<string, number>): { binary: string; calls: () => string[][] } {
  const log = join(mkdtempSync(join(folder, "terraform-")), "calls");
  const binary = `${log}.mjs`;
  writeFileSync(
    binary,
    `#!${process.execPath}
    import { appendFileSync } from "node:fs";
    const args = process.argv.slice(2);
    appendFileSync(${JSON.stringify(log)}, JSON.stringify(args) + "\\n");
    const codes = ${JSON.stringify(codes)};
    process.exitCode = Object.entries(codes).find(([command]) => args.includes(command))?.[1] ?? 0;`,
    { mode: 0o755 },
  );
  return {
    binary,
    calls: () =>
      readFileSync(log, "utf8")
        .trim()
        .split("\n")
        .map((text): string[] => JSON.parse(text)),
  };
}

describe("npm run synth", () => {
  it("writes the stack of the stage without credentials, and says where", () => {
    const out = join(folder, "out");
    const { code, stdout } = run("main", [], { CDKTF_OUTDIR: out, ASX_EOD_STAGE: "dev" });
    const file = join(out, "stacks", "asx-eod-dev", "cdk.tf.json");
    expect([code, stdout]).toEqual([0, `stage dev: ${join(relative(ROOT, out), "stacks/asx-eod-dev")}\n`]);
    expect(existsSync(file)).toBe(true);
  });

  it("says of a stage without a file that it has the defaults, and where nobody would be told of a failure", () => {
    const { stdout } = run("main", [], { CDKTF_OUTDIR: join(folder, "typo"), ASX_EOD_STAGE: "pord" });
    expect(stdout).toContain("stage pord (there is no stacks/stages/pord.json: defaults)");
    expect(stdout).toContain("no alertEmail is set: nobody is told when a run fails");
  });

  it("takes no options, which would be taken for settings", () => {
    const { code, stderr } = run("main", ["--stage", "dev"], { CDKTF_OUTDIR: join(folder, "options") });
    expect([code, stderr]).toEqual([
      64,
      expect.stringMatching(/--stage is no option; settings are ASX_EOD_\* variables/),
    ]);
  });

  it("refuses a bad setting before it writes anything", () => {
    const out = join(folder, "refused");
    const { code, stdout, stderr } = run("main", [], { CDKTF_OUTDIR: out, ASX_EOD_CONCURRENCY: "99" });
    expect([code, stdout, existsSync(out)]).toEqual([64, "", false]);
    expect(stderr).toMatch(/concurrency is 99: expected a whole number from 1 to 40/);
  });
});

describe("npm run deploy, diff and destroy", () => {
  it.each(["apply", "plan", "destroy"])(
    "initialise Terraform in the synthesised stack, then %s with the options given",
    (command) => {
      const { binary, calls } = fakeTerraform({});
      const out = join(folder, command);
      const environment = { CDKTF_OUTDIR: out, TERRAFORM_BINARY_NAME: binary };
      expect(run("terraform", [command, "-auto-approve"], environment).code).toBe(0);
      const stack = `-chdir=${join(out, "stacks", "asx-eod-prod")}`;
      expect(calls()).toEqual([["version"], [stack, "init", "-input=false"], [stack, command, "-auto-approve"]]);
      expect(existsSync(join(out, "stacks", "asx-eod-prod", "cdk.tf.json"))).toBe(true);
    },
  );

  it.each([
    [{ init: 3 }, 3, 2],
    [{ apply: 5 }, 5, 3],
  ])("end with Terraform's own exit code: %j", (codes, code, asked) => {
    const { binary, calls } = fakeTerraform(codes);
    expect(
      run("terraform", ["apply"], { CDKTF_OUTDIR: join(folder, "codes"), TERRAFORM_BINARY_NAME: binary }).code,
    ).toBe(code);
    expect(calls()).toHaveLength(asked);
  });

  it("say what to install where there is no Terraform", () => {
    const { code, stderr } = run("terraform", ["apply"], { TERRAFORM_BINARY_NAME: join(folder, "none") });
    expect(code).toBe(64);
    expect(stderr).toMatch(
      /none runs on this machine; install Terraform or OpenTofu, or name its binary in TERRAFORM_BINARY_NAME/,
    );
  });

  it("know no other command of Terraform", () => {
    const { code, stderr } = run("terraform", ["import"], {});
    expect([code, stderr]).toEqual([64, 'terraform: "import" is no command; allowed are apply, plan, destroy\n']);
  });
});
