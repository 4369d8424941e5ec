import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { printable, quote, shellWord, shorten, withoutControls } from "../../domain/text.ts";

describe("text of others", () => {
  it("loses what a terminal would obey", () => {
    expect(printable("\u001b[2Jone\r\n\ttwo\u0007\u009b three\u0000\n")).toBe("[2Jone two three");
    expect(printable("one\u202eowt")).toBe("one owt");
    expect(withoutControls(" one  two\n\u001b\u2028three ")).toBe("one  two three");
  });

  it("is quoted in one line of what can be seen, and read back as JSON", () => {
    expect(quote("a\nb\u0000\u009b\u202e\u2028")).toBe('"a\\nb\\u0000\\u009b\\u202e\\u2028"');
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const quoted = quote(text, 1_000);
        expect(quoted).not.toMatch(/[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/u);
        expect(JSON.parse(quoted)).toBe(text);
      }),
    );
    expect(quote("\u{e0001}")).toBe('"\\udb40\\udc01"');
    expect(quote("x".repeat(1_000), 5)).toBe('"xxxxx"');
  });

  it.each([
    ["file:./data", "file:./data"],
    ["s3://my-bucket/a=b", "s3://my-bucket/a=b"],
    ["file:./my data", "'file:./my data'"],
    ["file:./$(x); rm 'y' z", "'file:./$(x); rm '\\''y'\\'' z'"],
    ["", "''"],
  ])("%j is the word %s of a shell", (text, word) => {
    expect(shellWord(text)).toBe(word);
  });

  it("is cut in its middle where it is too long, and only there", () => {
    expect(shorten("0123456789", 10)).toBe("0123456789");
    expect(shorten("0123456789a", 10)).toBe("012 ... 9a");
    expect(shorten("0123456789a", 9)).toBe("01 ... 9a");
  });
});
