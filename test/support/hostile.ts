/** Values that somebody might send to get a write where it does not belong, an address asked, or a terminal to obey. */
import fc from "fast-check";

const PARTS = [
  "../",
  "..\\",
  "..",
  "%2e%2e%2f",
  "%252e%252e/",
  "\u2025/",
  "\uff0e\uff0e\uff0f",
  "/etc/passwd",
  "C:\\",
  "\\\\host\\share",
  "\0",
  "%00",
  "\r\n",
  "\u001b[2J",
  "\u009b31m",
  "\u202e",
  "\u2028",
  "__proto__",
  "constructor",
  "prototype",
  "file:",
  "file:///etc",
  "s3://bucket/../x",
  "http://169.254.169.254/",
  "2024-05-31",
  "2024-02-30",
  "BHP",
  "/",
  "~",
  "$(x)",
  "';--",
  '"',
  "=1+1",
  "{{}}",
  "٢٠٢٤-٠٥-٣١",
  "-0",
  "1e9",
];

/** Made of the parts above, of anything, or very long. */
export const hostileText: fc.Arbitrary<string> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.array(fc.constantFrom(...PARTS), { minLength: 1, maxLength: 4 }).map((all) => all.join("")),
  },
  { weight: 2, arbitrary: fc.string({ unit: "binary" }) },
  { weight: 1, arbitrary: fc.constantFrom(...PARTS).map((part) => part.repeat(5_000)) },
);

/** Texts that are almost a date. */
export const hostileDate: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    "2024-02-30",
    "2024-5-31",
    "2024-05-31/../../x",
    "2024-05-31\n",
    " 2024-05-31",
    "2024-05-31T00:00:00Z",
    "+002024-05-31",
    "-2024-05-31",
    "20240531",
    "2024-05-31[u-ca=hebrew]",
    "2024-13-01",
    "0000-00-00",
    "２０２４-05-31",
  ),
  hostileText.map((text) => `2024-05-31${text || "x"}`),
  hostileText.map((text) => `${text || "x"}2024-05-31`),
  hostileText,
);

/** Anything that JSON can hold in place of what is expected; `__proto__` and the like are among the keys. */
export const hostileValue: fc.Arbitrary<unknown> = fc.oneof(
  hostileText,
  hostileDate,
  fc.constantFrom<unknown>(null, 0, -1, 1.5, 1e308, 20240531, true, [], {}, [["BHP"]], ["2024-05-31"]),
  fc
    .constantFrom('{"__proto__":{"date":"2024-05-31"}}', '{"constructor":{"prototype":{"x":1}}}')
    .map((text): unknown => JSON.parse(text)),
  fc.jsonValue({ maxDepth: 2 }),
);

/** Whether a message is one bounded line that a terminal does not obey. */
export function isCivil(message: string, longest: number): boolean {
  return message.length <= longest && !/[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/u.test(message);
}
