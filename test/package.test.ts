import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import * as z from "zod";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const PACKAGE = z
  .object({
    name: z.string(),
    exports: z.record(z.string(), z.record(z.string(), z.string())),
    dependencies: z.record(z.string(), z.string()),
    devDependencies: z.record(z.string(), z.string()),
  })
  .parse(JSON.parse(readFileSync(resolve(ROOT, "package.json"), "utf8")));
const ENTRY = "aggregator/index.ts";

/** What a file imports, types included: the declarations need those too. */
function importsOf(file: string): string[] {
  const code = readFileSync(resolve(ROOT, file), "utf8").replaceAll(/^\s*(?:\/\/|\/?\*).*$/gm, "");
  const named = code.matchAll(/^(?:import|export)\b[^;]*?\bfrom "([^"]+)";|^import "([^"]+)";|\bimport\("([^"]+)"\)/gm);
  return [...named].flatMap(([, from, bare, called]) => from ?? bare ?? called ?? []);
}

/** The files that a file leads to, itself included, and the packages that they import. */
function reach(entry: string): { files: string[]; packages: string[] } {
  const files = new Set([entry]);
  const packages = new Set<string>();
  for (const file of files) {
    for (const name of importsOf(file)) {
      if (name.startsWith(".")) files.add(relative(ROOT, resolve(ROOT, dirname(file), name)));
      else if (!name.startsWith("node:")) packages.add(/^(?:@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? name);
    }
  }
  return { files: [...files], packages: [...packages].sort() };
}

describe("the package", () => {
  const { files, packages } = reach(ENTRY);

  it("has no Lambda, stack, sandbox or command in it", () => {
    expect(files.length).toBeGreaterThan(20);
    expect(files.filter((file) => !/^(?:aggregator|domain|stores)\/[a-z0-9-]+\.ts$/.test(file))).toEqual([]);
  });

  it("brings along what the library imports and nothing else", () => {
    expect(Object.keys(PACKAGE.dependencies).sort()).toEqual(packages);
  });

  it("is the source in the repository, and what is compiled from it elsewhere", () => {
    const compiled = `./dist/library/${ENTRY.replace(/\.ts$/, "")}`;
    const entry = { "asx-eod-source": `./${ENTRY}`, types: `${compiled}.d.ts`, default: `${compiled}.js` };
    expect(PACKAGE.exports).toEqual({ ".": entry });
  });
});

describe("a clone", () => {
  it("has every package that its code imports", () => {
    const declared = { ...PACKAGE.dependencies, ...PACKAGE.devDependencies };
    const entries = ["cli/main.ts", "stacks/main.ts", "stacks/build.ts", "stacks/terraform.ts"];
    const packages = new Set(entries.flatMap((entry) => reach(entry).packages));
    expect([...packages].filter((name) => !(name in declared))).toEqual([]);
  });

  it("has the command asx, which npx finds", async () => {
    const command = resolve(ROOT, "node_modules/.bin/asx");
    expect(existsSync(command)).toBe(true);
    const { stdout } = await promisify(execFile)(command, ["--help"], {
      env: { ...process.env, PATH: `${resolve(ROOT, "node_modules/.bin")}:${process.env["PATH"]}` },
    });
    expect(stdout).toContain("Usage: asx [options] [command]");
  });
});
