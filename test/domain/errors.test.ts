import { describe, expect, it } from "vitest";
import * as errors from "../../domain/errors.ts";

const CLASSES = [
  [errors.UpstreamUnavailableError, "transient"],
  [errors.UpstreamRefusedError, "terminal"],
  [errors.GateClosedError, "transient"],
  [errors.DirectoryUnavailableError, "transient"],
  [errors.DirectoryRefusedError, "terminal"],
  [errors.SymbolsMissingError, "terminal"],
  [errors.SessionNotSettledError, "terminal"],
  [errors.RunUnderWayError, "terminal"],
  [errors.InvalidInputError, "terminal"],
  [errors.StoredFileError, "terminal"],
  [errors.DateNotStoredError, "terminal"],
  [errors.QueryFailedError, "terminal"],
  [errors.QueryTimeoutError, "transient"],
  [errors.StoreUnavailableError, "transient"],
  [errors.StoreConflictError, "transient"],
  [errors.StoreRefusedError, "terminal"],
] as const;

const CASES = CLASSES.map(([ErrorClass, kind]) => ({ ErrorClass, kind, className: ErrorClass.name }));

describe("the project's errors", () => {
  it("are all in the table of this test", () => {
    const exported = Object.entries(errors).flatMap(([name, value]) =>
      value.prototype instanceof errors.AsxEodError ? [name] : [],
    );
    expect(exported.toSorted()).toEqual(CASES.map(({ className }) => className).toSorted());
  });

  it.each(CASES)("$className has its class's name, which ErrorEquals matches", ({ ErrorClass, className }) => {
    const error = new ErrorClass("a message");
    expect(error.name).toBe(className);
    expect(String(error)).toBe(`${className}: a message`);
  });

  it.each(CASES)("$className is an Error that keeps its message and its cause", ({ ErrorClass }) => {
    const cause = new TypeError("the first fault");
    const error = new ErrorClass("a message", { cause });
    expect(error).toBeInstanceOf(errors.AsxEodError);
    expect(error).toBeInstanceOf(Error);
    expect(error.message).toBe("a message");
    expect(error.cause).toBe(cause);
  });

  it.each(CASES)("$className is $kind", ({ ErrorClass, kind }) => {
    const error = new ErrorClass("a message");
    expect(error.kind).toBe(kind);
    expect(errors.isTransient(error)).toBe(kind === "transient");
  });

  it("tell how long an upstream asked to wait, where it did", () => {
    expect(new errors.UpstreamUnavailableError("busy", { retryAfterMs: 30_000 }).retryAfterMs).toBe(30_000);
    expect(new errors.UpstreamUnavailableError("busy").retryAfterMs).toBeUndefined();
  });

  it("tell whether an upstream said that we ask too much", () => {
    expect(new errors.UpstreamUnavailableError("HTTP 429", { rateLimited: true }).rateLimited).toBe(true);
    expect(new errors.UpstreamUnavailableError("HTTP 503").rateLimited).toBe(false);
  });
});

describe("what is not the project's error", () => {
  it.each([
    ["an Error", new Error("x")],
    ["an object that looks like one", { name: "StoreUnavailableError", kind: "transient" }],
    ["text", "transient"],
    ["null", null],
    ["undefined", undefined],
  ])("is not transient: %s", (_, thrown) => {
    expect(errors.isTransient(thrown)).toBe(false);
  });
});

describe("the message of what was thrown", () => {
  it.each([
    ["an error", new errors.StoredFileError("damaged"), "damaged"],
    ["an error of several lines", new Error("  first\n\tsecond\r\n third "), "first second third"],
    ["text", "gone", "gone"],
    ["a number", 42, "42"],
    ["undefined", undefined, "undefined"],
  ])("is on one line for %s", (_, thrown, message) => {
    expect(errors.messageOf(thrown)).toBe(message);
  });
});
