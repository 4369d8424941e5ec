import type { LogFields, Logger } from "../../lambdas/runtime/logger.ts";
import type { MetricName, Metrics } from "../../lambdas/runtime/metrics.ts";
import type { Runtime } from "../../lambdas/runtime/runtime.ts";
import { createMemoryStore, type MemoryStore } from "./memory-store.ts";
import { createTestClock, type TestClock } from "./test-clock.ts";

/** A runtime with nothing of the outside world in it, and what it was told. */
export interface TestRuntime extends Runtime {
  readonly store: MemoryStore;
  readonly clock: TestClock;
  /** `warn the message`, in the order they came. */
  readonly logs: string[];
  readonly measured: Map<MetricName, number>;
}

/** An evening after which the prices of Friday 31 May 2024 have settled. */
export const EVENING = "2024-05-31T19:30:00+10:00";

export function createTestRuntime(
  overrides: Partial<Pick<TestRuntime, "store" | "clock" | "fetch" | "random">> = {},
): TestRuntime {
  const logs: string[] = [];
  const measured = new Map<MetricName, number>();
  return {
    store: createMemoryStore(),
    clock: createTestClock(EVENING),
    fetch: async (url) => {
      throw new Error(`no test expected a request to ${url.href}`);
    },
    random: () => 0.5,
    logger: recordingLogger(logs),
    metrics: recordingMetrics(measured),
    logs,
    measured,
    ...overrides,
  };
}

function recordingLogger(logs: string[]): Logger {
  const record = (level: string) => (message: string, _fields?: LogFields) => void logs.push(`${level} ${message}`);
  return { debug: record("debug"), info: record("info"), warn: record("warn"), error: record("error") };
}

function recordingMetrics(measured: Map<MetricName, number>): Metrics {
  return {
    add: (name, value) => void measured.set(name, (measured.get(name) ?? 0) + value),
    publish: () => undefined,
  };
}
