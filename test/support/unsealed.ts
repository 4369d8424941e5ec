import { SEAL_METADATA_KEY } from "../../stores/file-seal.ts";

/** A batch file as older versions wrote it, and others do: without a seal. */
export function unsealed(bytes: Uint8Array): Uint8Array {
  const file = Buffer.from(bytes);
  file.write("x".repeat(SEAL_METADATA_KEY.length), file.lastIndexOf(SEAL_METADATA_KEY), "latin1");
  return file;
}
