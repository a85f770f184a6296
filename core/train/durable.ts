/**
 * Atomic file writes: temporary file, fsync, rename. And a lock,
 * so that two programs do not overwrite each other's files.
 *
 * @module
 */

import { dispose } from "../engine.ts";

/** A path with something added to its last name. */
function beside(path: string | URL, suffix: string): string | URL {
  if (!(path instanceof URL)) return `${path}${suffix}`;
  const url = new URL(path);
  url.pathname += suffix;
  return url;
}

/** A path's folder. */
function folderOf(path: string | URL): string | URL {
  return path instanceof URL ? new URL(".", path) : /^(.*[\\/])?[^\\/]*$/s.exec(path)![1] ?? ".";
}

/** What a file is to hold: all of it, or chunks that are valid until the next is asked for. */
export type Content = string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** Writes all bytes: a disk that fills up takes some of them first. */
export async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) written += await file.write(bytes.subarray(written));
}

/** Writes what a file is to hold. */
export async function writeContent(file: Deno.FsFile, content: Content): Promise<void> {
  const whole = typeof content === "string" ? new TextEncoder().encode(content) : content;
  for await (const bytes of whole instanceof Uint8Array ? [whole] : whole) await writeAll(file, bytes);
}

/**
 * Writes a file: whatever fails, even the power, the path holds either its old content or the whole new one. Needs
 * permission to read and write the folder.
 *
 * @param before Called when the file is whole, before it is put in its place.
 * @throws What the file system throws, or the content, or `before`; nothing is left beside the path.
 */
export async function writeDurably(
  path: string | URL,
  content: Content,
  before?: (temporary: string | URL) => Promise<void>,
): Promise<void> {
  await putDurably(path, async (temporary) => {
    {
      using file = await Deno.open(temporary, { write: true, createNew: true });
      await writeContent(file, content);
      await file.sync();
    }
    await before?.(temporary);
  });
}

/** Copies a file's bytes to another path, with the care of {@linkcode writeDurably}. */
export async function copyDurably(from: string | URL, to: string | URL): Promise<void> {
  await putDurably(to, async (temporary) => {
    await Deno.copyFile(from, temporary);
    using file = await Deno.open(temporary, { write: true });
    await file.sync();
  });
}

/** Puts what `write` leaves at a temporary path in its place. */
async function putDurably(path: string | URL, write: (temporary: string | URL) => Promise<void>): Promise<void> {
  // A unique name: if two programs write to one path, each puts a whole file there.
  const temporary = beside(path, `.${crypto.randomUUID().slice(0, 8)}.tmp`);
  try {
    await write(temporary);
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw error;
  }
  await syncFolder(folderOf(path));
}

/** Flushes a rename with fsync, if the system can. */
async function syncFolder(folder: string | URL): Promise<void> {
  if (Deno.build.os === "windows") return;
  using opened = await Deno.open(folder);
  try {
    await opened.sync();
  } catch (error) {
    // Some file systems cannot fsync folders.
    if (!["EINVAL", "ENOTSUP", "EOPNOTSUPP"].includes((error as { code?: string }).code ?? "")) throw error;
  }
}

/** Removes the temporary files of programs that were killed while writing in a folder. */
export async function removeLeftovers(folder: string, isOurs: (name: string) => boolean): Promise<void> {
  for await (const { name, isFile } of Deno.readDir(folder)) {
    const [, target] = /^(.*\.json)(?:\.[0-9a-f]{8})?\.tmp$/s.exec(name) ?? [];
    if (isFile && target !== undefined && isOurs(target)) await Deno.remove(`${folder}/${name}`);
  }
}

/**
 * A lock file: the system gives it to one program at a time and takes it back when that program ends, however it ends, so
 * it is never stale. The file says who holds it.
 */
export class FileLock implements Disposable {
  readonly #path: string;
  readonly #file: Deno.FsFile;

  private constructor(path: string, file: Deno.FsFile) {
    this.#path = path;
    this.#file = file;
  }

  /**
   * Takes the lock if it is free. Needs permission to read and write the file.
   *
   * @returns The lock, or who holds it.
   * @throws What the file system throws: `Deno.errors.NotSupported`, or an error with a code, if it has no locks.
   */
  static async take(path: string): Promise<FileLock | Holder> {
    for (;;) {
      const file = await Deno.open(path, { create: true, read: true, write: true });
      try {
        if (!await file.tryLock(true)) {
          file.close();
          return await holder(path);
        }
        // Its last holder removes the file at the end: then the file locked here has no name any more.
        const [own, there] = await Promise.all([file.stat(), Deno.stat(path).catch(() => undefined)]);
        if (there && own.ino === there.ino) {
          await file.truncate();
          const who = { process: Deno.pid, parent: Deno.ppid, since: new Date().toISOString() };
          await file.write(new TextEncoder().encode(`${JSON.stringify(who)}\n`));
          return new FileLock(path, file);
        }
      } catch (error) {
        file.close();
        throw error;
      }
      file.close();
    }
  }

  [dispose](): void {
    try {
      Deno.removeSync(this.#path);
    } catch {
      // Its folder may be gone.
    }
    this.#file.close();
  }
}

/** Who holds a lock. */
export interface Holder {
  /** "process 123, since 2026-01-31T12:00:00Z". */
  readonly words: string;
  /** Whether what started it started this program too. */
  readonly isSibling: boolean;
}

async function holder(path: string): Promise<Holder> {
  try {
    const { process, parent, since } = JSON.parse(await Deno.readTextFile(path));
    const words = `process ${Number(process)}, since ${new Date(since).toISOString().slice(0, 19)}Z`;
    return { words, isSibling: parent === Deno.ppid };
  } catch {
    return { words: "another process", isSibling: false };
  }
}
