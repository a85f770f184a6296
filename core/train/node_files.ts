/**
 * Checkpoints in files where there is no Deno: by Node's modules, which Bun has too. Elsewhere there are no files, and words
 * say what to do instead.
 *
 * @module
 */

import { loadNodeFiles } from "../../deps.ts";
import { checkArgument, fail } from "../errors.ts";
import type { Content } from "./durable.ts";

/** Whether files are Deno's. */
export const hasDeno = "Deno" in globalThis;

async function nodeFiles(action: string, instead: string): ReturnType<typeof loadNodeFiles> {
  try {
    return await loadNodeFiles();
  } catch {
    throw fail("files-unavailable", action, `a path needs Deno or Node, and there are no files here: use ${instead}`);
  }
}

/** Writes a file as `writeDurably` does: whatever fails, the path holds either its old content or the whole new one. */
export async function writeByNode(path: string | URL, content: Content): Promise<void> {
  const action = `save checkpoint "${path}"`, { open, rename, rm } = await nodeFiles(action, "formatCheckpoint");
  const suffix = `.${crypto.randomUUID().slice(0, 8)}.tmp`;
  const temporary = path instanceof URL ? new URL(path.href + suffix) : path + suffix;
  const pieces = typeof content === "string" || content instanceof Uint8Array ? [content] : content;
  try {
    const file = await open(temporary, "wx");
    try {
      for await (const piece of pieces) await file.writeFile(piece);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** The text of a file. */
export async function readByNode(path: string | URL): Promise<string> {
  const { readFile } = await nodeFiles(`load checkpoint "${path}"`, "parseCheckpoint");
  return await readFile(path, "utf8");
}

/** Checks what is to be a path: the system takes what is none for another, or says little. */
export function checkPath(action: string, path: unknown): void {
  if (path instanceof URL) return;
  checkArgument(action, "path", path, "string");
  if (path === "") throw fail("argument-out-of-range", action, "path must not be empty", { name: "path", value: path });
}
