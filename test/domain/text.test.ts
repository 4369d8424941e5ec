import { describe, expect, it } from "vitest";
import { printable, shorten } from "../../domain/text.ts";

describe("text of others", () => {
  it("loses what a terminal would obey", () => {
    expect(printable("\u001b[2Jone\r\n\ttwo\u0007\u009b three\u0000\n")).toBe("[2Jone two three");
  });

  it("is cut in its middle where it is too long, and only there", () => {
    expect(shorten("0123456789", 10)).toBe("0123456789");
    expect(shorten("0123456789a", 10)).toBe("012 ... 9a");
    expect(shorten("0123456789a", 9)).toBe("01 ... 9a");
  });
});
