const MAGIC = "PAR1";
/** The magic word at the start, and the footer's length and the magic word at the end. */
const SMALLEST_BYTES = 12;

/**
 * Refuses what is not framed as a Parquet file is: half a file, or something else. It costs nothing and tells most damage.
 * @throws Error that says what is wrong.
 */
export function checkFrame(bytes: Uint8Array): void {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isFramed = file.toString("latin1", 0, 4) === MAGIC && file.toString("latin1", file.length - 4) === MAGIC;
  if (file.length < SMALLEST_BYTES || !isFramed) throw new Error("it does not begin and end as a Parquet file");
  const footerBytes = file.readUInt32LE(file.length - 8);
  if (footerBytes > file.length - SMALLEST_BYTES) {
    throw new Error(`its footer is said to have ${footerBytes} bytes, and the file has ${file.length}`);
  }
}
