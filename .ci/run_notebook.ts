/**
 * The examples as a reader runs them, on a small store: the script on Node, the notebook in Jupyter with Deno's kernel; in
 * this clone, and in a project that has installed the package. Jupyter and Deno are installed in a temporary folder.
 *
 *   node .ci/run_notebook.ts
 */
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual, promisify } from "node:util";
import * as z from "zod";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const DENO = "2.9.6";
const JUPYTER = ["jupyter_client==8.10.0", "nbformat==5.11.1"];
const SAMPLE = ["45", "2024-01-31"];
/** What each cell shows, so that a table that came as text is noticed. */
const SHOWN = {
  ...{ load: ["text/html", "text/plain"], query: ["text/html", "text/plain"] },
  ...{ candles: ["image/svg+xml", "text/plain"], index: ["image/svg+xml", "text/plain"] },
  ...{ calendar: ["image/svg+xml", "text/plain"], coverage: ["text/html", "text/plain"], missing: ["text/plain"] },
};

const packageFile = z.object({ devDependencies: z.object({ echarts: z.string() }) });

const work = await mkdtemp(join(tmpdir(), "asx-eod-notebook-"));
/** Kernels, caches and settings of this run alone. */
const OWN_FOLDERS = {
  DENO_DIR: join(work, "deno-cache"),
  DENO_NO_UPDATE_CHECK: "1",
  XDG_CACHE_HOME: join(work, "cache"),
  XDG_DATA_HOME: join(work, "data"),
  JUPYTER_PATH: join(work, "data/jupyter"),
  JUPYTER_CONFIG_DIR: join(work, "jupyter-config"),
  JUPYTER_RUNTIME_DIR: join(work, "jupyter-runtime"),
};
try {
  const store = `file:${join(work, "store")}`;
  const user = join(work, "user");
  const python = join(work, "python/bin/python");
  await Promise.all([installJupyter(), installDeno(), installPackage(user)]);
  await run(process.execPath, [join(ROOT, "examples/sample-store.ts"), store, ...SAMPLE], ROOT);
  for (const folder of [join(ROOT, "examples"), user]) {
    const charts = join(work, "charts");
    await run(process.execPath, ["charts.ts", store, charts], folder);
    const drawn = await readdir(charts);
    if (drawn.length !== 3) throw new Error(`charts.ts drew ${drawn}`);
    await rm(charts, { recursive: true });
    const notebook = join(ROOT, "examples/notebook.ipynb");
    const shown: unknown = JSON.parse(
      await run(python, [join(ROOT, ".ci/execute_notebook.py"), notebook, folder, store], folder),
    );
    if (!isDeepStrictEqual(shown, SHOWN)) throw new Error(`in ${folder} the notebook showed ${JSON.stringify(shown)}`);
  }
  process.stdout.write(`ok: script and notebook run in the clone and in a project of their own, Deno ${DENO}\n`);
} finally {
  await rm(work, { recursive: true, force: true });
}

async function installJupyter(): Promise<void> {
  const folder = join(work, "python");
  await run("python3", ["-m", "venv", folder], work);
  await run(join(folder, "bin/pip"), ["install", "--quiet", "--disable-pip-version-check", ...JUPYTER], work);
}

/** Installs Deno and makes it known as a kernel. */
async function installDeno(): Promise<void> {
  const folder = join(work, "deno");
  await mkdir(folder);
  await writeFile(join(folder, "package.json"), JSON.stringify({ private: true, allowScripts: { deno: true } }));
  await npm(folder, ["install", `deno@${DENO}`]);
  await run(join(folder, "node_modules/.bin/deno"), ["jupyter", "--install"], work);
}

/** A project with the package, the charting library and a copy of the examples. */
async function installPackage(folder: string): Promise<void> {
  const { devDependencies } = packageFile.parse(JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")));
  await mkdir(folder);
  await writeFile(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  await npm(ROOT, ["pack", "--pack-destination", work]);
  const tarballs = (await readdir(work)).filter((name) => name.endsWith(".tgz")).map((name) => join(work, name));
  await npm(folder, ["install", ...tarballs, `echarts@${devDependencies.echarts}`]);
  for (const name of ["charts", "charts.ts"])
    await cp(join(ROOT, "examples", name), join(folder, name), { recursive: true });
}

async function npm(folder: string, args: readonly string[]): Promise<void> {
  await run("npm", [...args, "--silent", "--no-audit"], folder);
}

/** Without what npm and Node are told by the script that runs this, so that each child is as a user starts it. */
async function run(program: string, args: readonly string[], folder: string): Promise<string> {
  const own = Object.entries(process.env).filter(([name]) => !/^(?:npm_|NODE_OPTIONS$|INIT_CWD$)/i.test(name));
  const { stdout } = await promisify(execFile)(program, args, {
    cwd: folder,
    env: { ...Object.fromEntries(own), ...OWN_FOLDERS },
  });
  return stdout;
}
