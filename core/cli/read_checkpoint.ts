import { loadCheckpoint, type LoadedCheckpoint } from "../train/checkpoint.ts";
import { commandWith } from "./files.ts";

/** loadCheckpoint with the errors of the file system in the command line's words. */
export async function readCheckpoint(path: string): Promise<LoadedCheckpoint> {
  try {
    return await loadCheckpoint(path);
  } catch (error) {
    throw readError("checkpoint", path, error);
  }
}

/** What is wrong with a file that cannot be read; other errors as they are. */
export function readError(what: string, path: string, error: unknown): unknown {
  const text = error instanceof Deno.errors.NotFound
    ? "there is no such file"
    : error instanceof Deno.errors.IsADirectory
    ? "it is a folder"
    : error instanceof Deno.errors.PermissionDenied
    ? "the system does not allow it"
    : error instanceof Deno.errors.NotCapable
    ? `no permission; to allow it: ${commandWith(`--allow-read=${path}`, Deno.args)}`
    : undefined;
  return text === undefined ? error : new Error(`cannot read ${what} "${path}": ${text}`);
}
