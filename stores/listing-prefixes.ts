/** Keys on a page of a listing, the most that S3 gives at a time. */
const PAGE = 1_000;
/** Listings that are made for some keys before one of all that lies around them is the better choice. */
const FEW = 3;

/** A key's beginnings, from the widest to the key itself: folder, year, month, date. A key without a date has its folder alone. */
const BEGINNINGS: readonly ((key: string) => string)[] = [
  folderOf,
  (key) => /^.*?\d{4}(?=-\d{2}-\d{2})/.exec(key)?.[0] ?? folderOf(key),
  (key) => /^.*?\d{4}-\d{2}(?=-\d{2})/.exec(key)?.[0] ?? folderOf(key),
  (key) => /^.*?\d{4}-\d{2}-\d{2}/.exec(key)?.[0] ?? folderOf(key),
];

/**
 * Prefixes whose listings show all of the keys, in few pages: where few keys are asked for, little around
 * them is listed; where many are, they come by the date, the month or the year, as many as fill a page.
 * @returns prefixes of which none begins with another of the same key; a key itself where it stands alone.
 */
export function listingPrefixes(keys: Iterable<string>): string[] {
  return prefixesOf([...new Set(keys)].sort(), 0);
}

function prefixesOf(keys: readonly string[], level: number): string[] {
  const beginning = BEGINNINGS[level];
  if (beginning === undefined || keys.length <= 1) return [...keys];
  return [...Map.groupBy(keys, beginning).values()].flatMap((group) => {
    const narrow = prefixesOf(group, level + 1);
    const isLast = level === BEGINNINGS.length - 1;
    return narrow.length > FEW && (isLast || group.length <= PAGE) ? [commonPrefix(group)] : narrow;
  });
}

/** The beginning that all keys share, of keys in order: what the first and the last share. */
function commonPrefix(keys: readonly string[]): string {
  const first = keys[0] ?? "";
  const last = keys.at(-1) ?? "";
  let length = 0;
  while (length < first.length && first[length] === last[length]) length += 1;
  return first.slice(0, length);
}

function folderOf(key: string): string {
  return key.slice(0, key.lastIndexOf("/") + 1);
}
