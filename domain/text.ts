/** Text of others, made fit for one line. */

/** Without line ends and other control characters, which a terminal would obey, and marks that turn the order of text around. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Bidi_Control}\s]+/gu, " ").trim();
}

/** The same, with the spaces of the text left as they are: for names that are kept. */
export function withoutControls(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]+/gu, " ").trim();
}

/** A text in quotes for a message: its beginning, in one line, with what cannot be seen written as JSON writes it. */
export function quote(text: string, longest = 80): string {
  const written = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(text.slice(0, longest)).replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (hidden) =>
    hidden.split("").map(written).join(""),
  );
}

/** A text as one word of a POSIX shell, quoted where the shell would read something else in it. */
export function shellWord(text: string): string {
  return /^[\w./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** A message begins with what happened and ends with what to do: what is too long is cut in its middle. */
export function shorten(text: string, longest: number): string {
  if (text.length <= longest) return text;
  const kept = longest - " ... ".length;
  return `${text.slice(0, Math.ceil(kept / 2))} ... ${text.slice(-Math.floor(kept / 2))}`;
}
