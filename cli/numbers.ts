/** Numbers for people, the same on every host. */

const WHOLE = new Intl.NumberFormat("en-AU");

/** `1,978` */
export function whole(value: number): string {
  return WHOLE.format(value);
}

/** `6.1 kB`: thousands of bytes, as disks count. */
export function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1e6) return `${(bytes / 1000).toFixed(1)} kB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** `1 min 05 s` */
export function duration(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  return `${minutes} min ${String(Math.round(seconds - minutes * 60)).padStart(2, "0")} s`;
}

/** A count with its noun, which has an s at its end unless there is one: `1 file`, `2,104 files`. */
export function counted(count: number, noun: string): string {
  return `${whole(count)} ${noun}${count === 1 ? "" : "s"}`;
}
