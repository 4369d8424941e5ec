/**
 * The package as a user gets it: packs it, installs it in a project of its own, compiles .ci/package_sample.ts against its
 * declarations and runs it on plain Node.
 *
 *   node .ci/check_package.ts
 */
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import * as z from "zod";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const DATE = "2024-05-31";
/** The oldest that `engines` allows and the newest of its line, beside the one that runs this. */
const OTHER_NODES = ["22.0.0", "22.23.3"];
const ALLOWED_FILE =
  /^(?:package\.json|README\.md|dist\/library\/(?:aggregator|domain|stores)\/[a-z0-9-]+\.(?:js|d\.ts))$/;
/** What the user's project has beside the package. */
const USERS_OWN = ["typescript", "@types/node"];
/** How the user's compiler finds modules: as Node does, and as bundlers do. */
const RESOLUTIONS = [
  ["--module", "nodenext", "--moduleResolution", "nodenext"],
  ["--module", "esnext", "--moduleResolution", "bundler"],
];

const USERS_TSCONFIG = {
  compilerOptions: {
    target: "es2022",
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    types: ["node"],
  },
  files: ["sample.ts"],
};

const packageFile = z.object({ devDependencies: z.record(z.string(), z.string()) });
const lockFile = z.object({ packages: z.record(z.string(), z.object({ dev: z.boolean().optional() })) });

const work = await mkdtemp(join(tmpdir(), "asx-eod-package-"));
try {
  const tarball = await pack();
  const { devDependencies } = packageFile.parse(JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")));
  const user = join(work, "user");
  await install(user, [join(work, tarball), ...USERS_OWN.map((name) => `${name}@${devDependencies[name]}`)]);

  const files = await filesOf(join(user, "node_modules/asx-eod"));
  refuse(
    files.filter((file) => !ALLOWED_FILE.test(file)),
    "the package has files that are not the library's",
  );
  const { packages } = lockFile.parse(JSON.parse(await readFile(join(ROOT, "package-lock.json"), "utf8")));
  const repositorysOwn = Object.keys(devDependencies).filter(
    (name) => packages[`node_modules/${name}`]?.dev === true && !USERS_OWN.includes(name),
  );
  const installed = (await filesOf(user)).filter((file) => file.endsWith("/package.json"));
  refuse(
    repositorysOwn.filter((name) => installed.some((file) => file.endsWith(`node_modules/${name}/package.json`))),
    "whoever installs the package gets what only the repository needs",
  );

  await cp(join(ROOT, ".ci/package_sample.ts"), join(user, "sample.ts"));
  await writeFile(join(user, "tsconfig.json"), JSON.stringify(USERS_TSCONFIG));
  const tsc = join(user, "node_modules/typescript/bin/tsc");
  for (const resolution of RESOLUTIONS) await run(process.execPath, [tsc, ...resolution], user);

  const store = `file:${join(work, "store")}`;
  const daily = ["--source", "sandbox", "--symbols", "BHP,CBA", "--date", DATE, "--store", store];
  await run(process.execPath, ["cli/main.ts", "run", ...daily], ROOT);

  const versions: string[] = [];
  for (const node of [process.execPath, ...(await Promise.all(OTHER_NODES.map(installNode)))]) {
    await run(node, ["sample.js", store, DATE], user);
    versions.push((await run(node, ["--version"], user)).trim());
  }
  process.stdout.write(
    `ok: ${tarball}, ${files.length} files: installs, compiles and runs on Node ${versions.join(", ")}\n`,
  );
} finally {
  await rm(work, { recursive: true, force: true });
}

/** @returns the name of the tarball in `work`. */
async function pack(): Promise<string> {
  await run("npm", ["pack", "--silent", "--pack-destination", work], ROOT);
  const [tarball, ...others] = (await readdir(work)).filter((name) => name.endsWith(".tgz"));
  if (tarball === undefined || others.length > 0)
    throw new Error(`npm pack left ${[tarball, ...others]}, not one tarball`);
  return tarball;
}

/** Makes a project of its own that has these packages. */
async function install(folder: string, packages: readonly string[]): Promise<void> {
  await mkdir(folder);
  await writeFile(
    join(folder, "package.json"),
    JSON.stringify({ private: true, type: "module", allowScripts: { node: true } }),
  );
  await run("npm", ["install", "--silent", "--no-audit", "--prefix", folder, ...packages], folder);
}

/** @returns the program. */
async function installNode(version: string): Promise<string> {
  const folder = join(work, `node-${version}`);
  await install(folder, [`node@${version}`]);
  return join(folder, "node_modules/node/bin/node");
}

/** The files below a folder, with `/` between their names. */
async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll(sep, "/"));
}

/** Without what npm and Node are told by the script that runs this, so that each child is as a user starts it. */
async function run(program: string, args: readonly string[], folder: string): Promise<string> {
  const own = Object.entries(process.env).filter(([name]) => !/^(?:npm_|NODE_OPTIONS$|INIT_CWD$)/i.test(name));
  const { stdout } = await promisify(execFile)(program, args, { cwd: folder, env: Object.fromEntries(own) });
  return stdout;
}

function refuse(found: readonly string[], because: string): void {
  if (found.length > 0) throw new Error(`${because}: ${found.join(", ")}`);
}
