import { describe, expect, it } from "vitest";
import * as z from "zod";
import { InvalidInputError } from "../../domain/errors.ts";
import { parseInput } from "../../domain/parse.ts";

const schema = z.object({
  date: z.string().regex(/^\d{4}-\d{2}-\d{2}$/, "expected YYYY-MM-DD"),
  batch: z.object({ symbols: z.array(z.string().max(6, "expected at most 6 characters")) }).optional(),
  ACCESS_TOKEN: z.string().min(10, "expected at least 10 characters").optional(),
});

function refusalOf(parse: () => unknown): InvalidInputError {
  try {
    parse();
  } catch (error) {
    if (error instanceof InvalidInputError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

function messageFor(input: unknown): string {
  return refusalOf(() => parseInput(schema, input, "event")).message;
}

describe("input that fits", () => {
  it("comes back parsed, without fields the schema does not know", () => {
    const input = { date: "2024-05-31", batch: { symbols: ["BHP"] }, surplus: 1 };
    expect(parseInput(schema, input, "event")).toEqual({ date: "2024-05-31", batch: { symbols: ["BHP"] } });
  });

  it("comes back transformed where the schema transforms", () => {
    expect(parseInput(z.object({ size: z.string().transform(Number) }), { size: "100" }, "environment")).toEqual({
      size: 100,
    });
  });
});

describe("the message about input that does not fit", () => {
  it("names the source, the field, its value and the rule", () => {
    expect(messageFor({ date: "31/05/2024" })).toBe('invalid event: date is "31/05/2024": expected YYYY-MM-DD');
  });

  it("names the way to a field inside", () => {
    const message = messageFor({ date: "2024-05-31", batch: { symbols: ["BHP", "TOOLONGCODE"] } });
    expect(message).toContain('batch.symbols.1 is "TOOLONGCODE": expected at most 6 characters');
  });

  it("says that a field is missing", () => {
    expect(messageFor({})).toContain("date is missing: ");
  });

  it.each([
    ["null", null, "event is null: "],
    ["text", "2024-05-31", 'event is "2024-05-31": '],
    ["a number", 7, "event is 7: "],
    ["a list", [], "event is []: "],
    ["nothing", undefined, "event is missing: "],
  ])("names the source where the whole is %s", (_, input, expected) => {
    expect(messageFor(input)).toContain(expected);
  });

  it("names every bad field, up to five", () => {
    const six = z.object({ a: z.number(), b: z.number(), c: z.number(), d: z.number(), e: z.number(), f: z.number() });
    const { message } = refusalOf(() => parseInput(six, { a: "1", b: "2", c: "3", d: "4", e: "5", f: "6" }, "event"));
    for (const shown of ['a is "1"', 'b is "2"', 'c is "3"', 'd is "4"', 'e is "5"']) expect(message).toContain(shown);
    expect(message).not.toContain("f is");
  });

  it("shows the start of a long value only", () => {
    const message = messageFor({ date: "9".repeat(100_000) });
    expect(message).toContain('date is "999');
    expect(message.length).toBeLessThan(200);
  });

  it("shows what is inside a list or an object as it came", () => {
    expect(messageFor({ date: [1, "1", true, null] })).toContain('date is [1,"1",true,null]: ');
    expect(messageFor({ date: { year: 2024, month: "05" } })).toContain('date is {"year":2024,"month":"05"}: ');
  });

  it("keeps what the schema found as its cause", () => {
    expect(refusalOf(() => parseInput(schema, {}, "event")).cause).toBeInstanceOf(z.ZodError);
  });

  it.each([
    ["a symbol", Symbol("x"), "Symbol(x)"],
    ["a bigint", 12n, "12"],
    ["a function", Math.max, "function max"],
    ["not a number", Number.NaN, "NaN"],
  ])("shows %s, which JSON has no form for", (_, value, shown) => {
    const { message } = refusalOf(() => parseInput(z.object({ value: z.string() }), { value }, "event"));
    expect(message).toContain(`value is ${shown}`);
  });
});

describe("a token", () => {
  it.each([
    ["in capitals", { ACCESS_TOKEN: z.string().min(10) }, { ACCESS_TOKEN: "s3cret" }],
    ["in lower case", { token: z.string().min(10) }, { token: "s3cret" }],
    [
      "inside another field",
      { auth: z.object({ accessToken: z.string().min(10) }) },
      { auth: { accessToken: "s3cret" } },
    ],
    ["in a list", { tokens: z.array(z.string().min(10)) }, { tokens: ["s3cret"] }],
    ["in an object of its own", { token: z.string() }, { token: { value: "s3cret" } }],
  ])("is hidden %s", (_, shape, input) => {
    const { message } = refusalOf(() => parseInput(z.object(shape), input, "environment"));
    expect(message).toContain("(hidden)");
    expect(message).not.toContain("s3cret");
  });

  it("is hidden where the object around it is what does not fit", () => {
    const pair = z.object({
      auth: z.object({ user: z.string(), TOKEN: z.string() }).refine(() => false, "expected a pair"),
    });
    const { message } = refusalOf(() => parseInput(pair, { auth: { user: "me", TOKEN: "s3cret" } }, "environment"));
    expect(message).toContain("expected a pair");
    expect(message).not.toContain("s3cret");
  });

  it("that is missing is called missing", () => {
    const { message } = refusalOf(() => parseInput(z.object({ TOKEN: z.string() }), {}, "environment"));
    expect(message).toContain("TOKEN is missing");
  });
});

describe("prototype keys in JSON", () => {
  const hostile = '{"date":"2024-05-31","__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}';

  it("do not reach the parsed value or any other object", () => {
    const parsed = parseInput(schema, JSON.parse(hostile), "event");
    expect(parsed).toEqual({ date: "2024-05-31" });
    expect(Object.keys(parsed)).toEqual(["date"]);
    expect(Object.getPrototypeOf(parsed)).toBe(Object.prototype);
    expect("polluted" in {}).toBe(false);
  });

  it("do not lend their values to fields that are missing", () => {
    const message = messageFor(JSON.parse('{"__proto__":{"date":"2024-05-31"}}'));
    expect(message).toContain("date is missing");
  });

  it("are never shown as a value that an object only inherits", () => {
    const odd = z.object({ toString: z.string("expected text"), constructor: z.string("expected text") });
    const { message } = refusalOf(() => parseInput(odd, JSON.parse('{"constructor":7}'), "event"));
    expect(message).toContain("toString is missing");
    expect(message).toContain("constructor is 7");
  });
});
