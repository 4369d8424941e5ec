/** Text of others, made fit for one line. */

/** Without line ends and other control characters, which a terminal would obey. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\s]+/gu, " ").trim();
}

/** A message begins with what happened and ends with what to do: what is too long is cut in its middle. */
export function shorten(text: string, longest: number): string {
  if (text.length <= longest) return text;
  const kept = longest - " ... ".length;
  return `${text.slice(0, Math.ceil(kept / 2))} ... ${text.slice(-Math.floor(kept / 2))}`;
}
