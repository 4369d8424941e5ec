/** The whole system on a simulated clock: the real workflow and functions, a store in memory, an upstream in the process. */
import { type Invoke, runDailyWorkflow, type WorkflowEnd } from "../../cli/daily-workflow.ts";
import type { SymbolUpdaterEvent } from "../../domain/batch.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import { fromTicker } from "../../domain/symbol.ts";
import { silentMetrics } from "../../lambdas/runtime/metrics.ts";
import type { Environment, Runtime } from "../../lambdas/runtime/runtime.ts";
import { FAULT_NAMES, FAULTS, type FaultName, scripted } from "../../sandbox/faults.ts";
import { rateLimited } from "../../sandbox/rate-limit.ts";
import { createSandboxApp, type Delivery, delayed, SANDBOX_PATHS, type SandboxRequest } from "../../sandbox/server.ts";
import { createSimulatedClock, type SimulatedClock } from "../../sandbox/simulated-clock.ts";
import { createMemoryStore, type MemoryStore } from "../support/memory-store.ts";
import { createSimulatedMarket, type SimulatedMarket } from "./market.ts";
import {
  asProcess,
  mortalClock,
  mortalFetch,
  mortalStore,
  never,
  type Process,
  runningProcess,
  withTimersOf,
} from "./processes.ts";
import { faultyStore } from "./store-faults.ts";
import type { Trouble } from "./trouble.ts";

/** Batches that are fetched at the same time. */
const WORKERS = 3;
/** Waits of the workflow before it tries a state again. */
const RETRY_DELAY_MS = 5_000;

/** Errors under which the workflow sees a function that was ended from outside. */
const DEATHS = ["Sandbox.Timedout", "Runtime.ExitError", "Lambda.Unknown"] as const;
/** Errors of the service that calls functions. */
const SERVICE_ERRORS = [
  "Lambda.ServiceException",
  "Lambda.AWSLambdaException",
  "Lambda.SdkClientException",
  "Lambda.ClientExecutionTimeoutException",
] as const;

/** How a world is set up. */
export interface WorldOptions {
  /** Which of the markets. */
  readonly market: number;
  readonly startMs: number;
  readonly trouble: Trouble;
  /** Requests a second over all workers. */
  readonly budget: number;
  readonly objects?: ReadonlyMap<string, Uint8Array>;
}

/** What became of one run. */
export interface RunRecord {
  /** Undefined where the run was killed. */
  readonly end: WorkflowEnd | undefined;
  /** Times at which charts were asked for, in milliseconds since 1970. */
  readonly requests: readonly number[];
  /** Errors of its functions, `Name: message`. */
  readonly errors: readonly string[];
}

/** What became of a run, and of the one that was started beside it. */
export interface RunsRecord extends RunRecord {
  readonly second: RunRecord | undefined;
  /** Whether one batch was fetched by two functions at the same time: neither knows of the other's requests. */
  readonly hadTwins: boolean;
}

/** A world. */
export interface World {
  readonly clock: SimulatedClock;
  readonly budget: number;
  readonly market: SimulatedMarket;
  /** What is stored, without faults. */
  readonly store: MemoryStore;
  /** Every file that was written since the last run began, in order. */
  readonly written: readonly (readonly [key: string, bytes: Uint8Array])[];
  /** Symbols of which an answer was wrong in a way that it did not show. */
  readonly misled: ReadonlySet<string>;
  /** Symbols whose outcome may be final and untrue: without a bar although there is one. */
  readonly mistaken: ReadonlySet<string>;
  /** Runs the workflow, and maybe a second one beside it. */
  run(event: SymbolUpdaterEvent, batchSize: number): Promise<RunsRecord>;
  /** Lets what was delivered late happen now. */
  deliverLate(): Promise<void>;
  passTime(ms: number): Promise<void>;
}

/** A world with its own time. */
export function createWorld({ market: number, startMs, trouble, budget, objects }: WorldOptions): World {
  const clock = createSimulatedClock(startMs);
  const market = createSimulatedMarket(number, clock.now);
  const store = createMemoryStore();
  for (const [key, bytes] of objects ?? []) store.objects.set(key, bytes);
  const written: [string, Uint8Array][] = [];
  const misled = new Set<string>();
  const mistaken = new Set<string>();
  const { random } = trouble;
  const ownClock = mortalClock(clock);
  const app = createSandboxApp({ market, now: clock.now, delivery: upstream() });
  const late: (() => Promise<unknown>)[] = [];
  let runs = 0;

  /** The upstream with its faults: slow at first, limited, and wrong. */
  function upstream(): Delivery {
    const sleep = clock.sleep;
    const limit = rateLimited(
      { perSecond: budget * 0.4, burst: 1, retryAfter: random() < 0.5 },
      clock.now,
      delayed(0, sleep),
    );
    const end: Delivery = (answer, request) => {
      if (!trouble.isOn || !trouble.has("upstream-limit")) return delayed(0, sleep)(answer, request);
      return limit(answer, request).then((sent) => {
        if (sent.status === 429) trouble.note("upstream-limit");
        return sent;
      });
    };
    const faulty = scripted(
      (request) => trouble.due(FAULT_NAMES.filter((name) => trouble.has(name) && canBeMade(name, request))),
      Math.floor(random() * 2 ** 31),
      end,
      {
        sleep,
        onFault: (name, { ticker }) => {
          trouble.note(name);
          const symbol = ticker === undefined ? undefined : fromTicker(ticker);
          if (symbol === undefined) return;
          const { effect } = FAULTS[name];
          if (effect === "silent" || LIVE_ROWS.has(name)) misled.add(symbol);
          if (effect === "silent" || effect === "detectable") mistaken.add(symbol);
        },
      },
    );
    return async (answer, request) => {
      await sleep(20 + Math.floor(random() * 200));
      return faulty(answer, request);
    };
  }

  async function start(
    event: SymbolUpdaterEvent,
    batchSize: number,
    id: string,
    killAt: number | undefined,
  ): Promise<RunRecord> {
    const requests: number[] = [];
    const errors: string[] = [];
    return asProcess(async (process) => {
      const { store: stepping, died } = killedAt(
        mortalStore(faultyStore(recorded(store, written), trouble, ownClock)),
        killAt,
        process,
        () => trouble.note("run-killed"),
      );
      const runtime: Runtime = {
        store: stepping,
        clock: ownClock,
        random,
        fetch: mortalFetch(async (url, init) => {
          if (url.pathname.startsWith("/v8/")) requests.push(clock.now());
          return app.fetch(new Request(url, init));
        }),
        logger: SILENT,
        metrics: silentMetrics,
      };
      const ended = runDailyWorkflow(event, {
        environment: environment(batchSize, budget),
        runtime: functionRuntime(runtime),
        maxConcurrency: WORKERS,
        onNotification: () => undefined,
        retryDelayMs: RETRY_DELAY_MS,
        run: id,
        longestRedriveWaitMs: 600_000,
        invoke: invoker(errors),
      });
      const end = await Promise.race([ended, died]);
      return { end, requests, errors };
    });
  }

  /** A function dies at one of its steps at the store, if it is to. */
  function functionRuntime(runtime: Runtime): Runtime {
    const step = <Result>(method: () => Promise<Result>): Promise<Result> => {
      const process = runningProcess();
      const doom = process === undefined ? undefined : dooms.get(process);
      if (doom === undefined) return method();
      doom.steps -= 1;
      if (doom.steps !== 0) return method();
      const isDone = doom.isDone ? method() : Promise.resolve();
      return isDone.then(doom.die, doom.die);
    };
    return { ...runtime, store: stepped(runtime.store, step) };
  }

  const dooms = new WeakMap<Process, Doom>();
  let twins = false;

  function invoker(errors: string[]): Invoke {
    return async (name, call) => {
      const once = async (): Promise<unknown> => {
        try {
          return await invokeOnce(name, call);
        } catch (error) {
          errors.push(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
          throw error;
        }
      };
      if (name === "batch-fetcher" && trouble.isDue("delivered-twice")) {
        trouble.note("delivered-twice");
        twins = true;
        const other = ownClock.sleep(Math.floor(random() * 500)).then(() => asProcess(() => call()));
        const [first] = await Promise.allSettled([once(), other]);
        if (first.status === "rejected") throw first.reason;
        return first.value;
      }
      if (name === "batch-fetcher" && trouble.isDue("delivered-late")) {
        trouble.note("delivered-late");
        late.push(() => asProcess(() => call()));
      }
      return once();
    };
  }

  async function invokeOnce(name: string, call: Parameters<Invoke>[1]): Promise<unknown> {
    if (trouble.isDue("function-throttled")) {
      trouble.note("function-throttled");
      throw named("Lambda.TooManyRequestsException", "Rate Exceeded.");
    }
    if (name === "batch-fetcher" && trouble.isDue("batch-lost")) {
      trouble.note("batch-lost");
      throw named("States.Timeout", "the function was too slow");
    }
    if (name === "batch-fetcher" && trouble.isDue("short-of-time")) {
      trouble.note("short-of-time");
      const endsAt = clock.now() + 300_000 + Math.floor(random() * 5_000);
      return asProcess(() => call({ getRemainingTimeInMillis: () => endsAt - clock.now() }));
    }
    if (trouble.isDue("function-killed")) return killed(call);
    const result = await asProcess(() => call());
    if (trouble.isDue("function-answer-lost")) {
      trouble.note("function-answer-lost");
      throw named(oneOf(SERVICE_ERRORS), "the answer was lost");
    }
    return result;
  }

  /** Calls a function and ends it at one of its first steps; one that has ended before returns what it has. */
  function killed(call: Parameters<Invoke>[1]): Promise<unknown> {
    return asProcess((process) => {
      const death = Promise.withResolvers<never>();
      dooms.set(process, {
        steps: 1 + Math.floor(random() * 12),
        isDone: random() < 0.5,
        die: () => {
          trouble.note("function-killed");
          process.isDead = true;
          death.reject(named(oneOf(DEATHS), "RequestId: 0 Error: Runtime exited with error: signal: killed"));
          return never();
        },
      });
      return Promise.race([call(), death.promise]);
    });
  }

  function oneOf<const Item>(items: readonly [Item, ...Item[]]): Item {
    return items[Math.floor(random() * items.length)] ?? items[0];
  }

  return {
    clock,
    budget,
    market,
    store,
    written,
    misled,
    mistaken,
    async run(event, batchSize) {
      runs += 1;
      written.length = 0;
      twins = false;
      const killAt = trouble.isDue("run-killed")
        ? 1 + Math.floor(random() * (trouble.made.has("run-killed") ? 60 : 40))
        : undefined;
      const isTwice = trouble.isDue("started-twice");
      return clock.run(() =>
        withTimersOf(ownClock, async () => {
          const first = start(event, batchSize, `run-${runs}`, killAt);
          if (!isTwice) return { ...(await first), second: undefined, hadTwins: twins };
          trouble.note("started-twice");
          await clock.sleep(1 + Math.floor(random() * 2_000));
          const second = start(event, batchSize, `run-${runs}-again`, undefined);
          return { ...(await first), second: await second, hadTwins: twins };
        }),
      );
    },
    async deliverLate() {
      const calls = late.splice(0);
      await clock.run(() => Promise.allSettled(calls.map((call) => call())));
    },
    passTime: (ms) => clock.run(() => clock.sleep(ms)),
  };
}

/** When and how a function is to die. */
interface Doom {
  /** Steps at the store until then. */
  steps: number;
  /** Whether the last step is done. */
  readonly isDone: boolean;
  readonly die: () => Promise<never>;
}

/** A live row that comes after the prices have settled stands for its day where that has no other. */
const LIVE_ROWS: ReadonlySet<FaultName> = new Set(["live-partial", "row-after-end"]);

/** Whether a fault can be made of an answer to a request. */
function canBeMade(name: FaultName, { kind, path }: SandboxRequest): boolean {
  if (name === "directory-forbidden") return path === SANDBOX_PATHS.directory;
  if (name === "older-directory-gone") return path === SANDBOX_PATHS.olderDirectory;
  const { target } = FAULTS[name];
  return target === "any" ? kind !== undefined : target === kind;
}

const SILENT = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

function environment(batchSize: number, budget: number): Environment {
  return {
    ASX_DIRECTORY_URL: `http://sandbox${SANDBOX_PATHS.directory}`,
    ASX_OLDER_DIRECTORY_URL: `http://sandbox${SANDBOX_PATHS.olderDirectory}`,
    YAHOO_URL: "http://sandbox",
    BATCH_SIZE: String(batchSize),
    MAX_CONCURRENCY: String(WORKERS),
    REQUESTS_PER_SECOND: String(budget),
  };
}

/** A store that notes every file as it is written. */
function recorded(store: MemoryStore, written: [string, Uint8Array][]): ObjectStore {
  const note = (key: string): void => {
    const bytes = store.objects.get(key);
    if (bytes !== undefined) written.push([key, bytes]);
  };
  return {
    ...store,
    put: (key, bytes) => store.put(key, bytes).then(() => note(key)),
    replace: (key, bytes, version) => store.replace(key, bytes, version).then(() => note(key)),
  };
}

/** A store whose steps pass through a function. */
function stepped(store: ObjectStore, step: <Result>(method: () => Promise<Result>) => Promise<Result>): ObjectStore {
  return {
    url: store.url,
    locate: (key) => store.locate(key),
    get: (key) => step(() => store.get(key)),
    read: (key) => step(() => store.read(key)),
    put: (key, bytes) => step(() => store.put(key, bytes)),
    replace: (key, bytes, version) => step(() => store.replace(key, bytes, version)),
    remove: (key) => step(() => store.remove(key)),
    head: (key) => step(() => store.head(key)),
    stat: (keys) => step(() => store.stat(keys)),
    list: (prefix) => step(() => store.list(prefix)),
    groups: (prefix, delimiter) => step(() => store.groups(prefix, delimiter)),
    localPath: (key) => store.localPath(key),
  };
}

/** A store at whose so-manieth step the process dies, by turns before and after it is done. */
function killedAt(store: ObjectStore, at: number | undefined, process: Process, onDeath: () => void) {
  const death = Promise.withResolvers<undefined>();
  let steps = 0;
  const counted = stepped(store, async (method) => {
    steps += 1;
    if (steps !== at) return method();
    if (steps % 2 === 0) await method().catch(() => undefined);
    process.isDead = true;
    onDeath();
    death.resolve(undefined);
    return never();
  });
  return { store: counted, died: death.promise };
}

function named(name: string, message: string): Error {
  const error = new Error(message);
  error.name = name;
  return error;
}
