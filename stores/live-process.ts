import { codeOf } from "./error-code.ts";

/** Whether a process of this machine lives. Its number may have gone to another one meanwhile. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0); // sends nothing, and says whether it could
    return true;
  } catch (error) {
    // One that may not be signalled is another user's, and lives.
    return codeOf(error) === "EPERM";
  }
}
