import { describe, expect, it } from "vitest";
import { StoreUnavailableError } from "../../domain/errors.ts";
import { createHandler, lazyHandler } from "../../lambdas/runtime/lambda-handler.ts";
import { createTestRuntime } from "../support/test-runtime.ts";

/** The error that a handler throws when its use case throws `error`. */
async function reported(error: unknown): Promise<Error> {
  const handler = createHandler("test", createTestRuntime(), async () => {
    throw error;
  });
  const thrown: unknown = await handler({}).catch((caught: unknown) => caught);
  if (thrown instanceof Error) return thrown;
  throw new Error("no Error was thrown");
}

describe("an error of a handler", () => {
  it("keeps its name, by which the workflow retries, and its cause", async () => {
    const cause = new StoreUnavailableError("s3://bucket is down");
    expect(await reported(cause)).toMatchObject({
      name: "StoreUnavailableError",
      message: "s3://bucket is down",
      cause,
    });
  });

  it("is bounded: of long messages the middle is cut, not the remedy, and the stack is left to the log", async () => {
    const { message, stack } = await reported(new RangeError(`it broke ${"x".repeat(10_000)}; run the date again`));
    expect(message).toHaveLength(256);
    expect(message).toMatch(/^it broke x+ \.\.\. x+; run the date again$/);
    expect(stack?.length).toBeLessThan(300);
  });

  it("is one line", async () => {
    expect((await reported(new Error("two\n  lines"))).message).toBe("two lines");
  });

  it("is logged whole", async () => {
    const runtime = createTestRuntime();
    const handler = createHandler("test", runtime, async () => {
      throw new Error("y".repeat(300));
    });
    await expect(handler({})).rejects.toThrow("y");
    expect(runtime.logs).toEqual([`error test failed: ${"y".repeat(300)}`]);
  });
});

describe("a handler", () => {
  it("publishes its metrics whether it succeeds or fails", async () => {
    let published = 0;
    const publish = (): void => {
      published += 1;
    };
    const metrics = { add: () => undefined, publish };
    const runtime = { ...createTestRuntime(), metrics };
    await createHandler("test", runtime, async () => "done")({});
    await expect(
      createHandler("test", runtime, async () => {
        throw new Error("no");
      })({}),
    ).rejects.toThrow("no");
    expect(published).toBe(2);
  });

  it("is made once, on its first call", async () => {
    let made = 0;
    const handler = lazyHandler(() => {
      made += 1;
      return async (event) => event;
    });
    expect(made).toBe(0);
    expect([await handler(1), await handler(2)]).toEqual([1, 2]);
    expect(made).toBe(1);
  });
});
