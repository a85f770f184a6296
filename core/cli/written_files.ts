/** What a run writes beside its checkpoints: whole or not at all, never over an input, and an older file set aside. */

import type { StoredJob } from "../job/stored_job.ts";
import { UsageError } from "../job/options.ts";
import { isSample } from "../job/sample_pairs.ts";
import { type Content, copyDurably, writeContent, writeDurably } from "../train/durable.ts";
import { nameOf } from "../job/words.ts";
import { folderOf } from "./files.ts";
import type { Arguments } from "./options.ts";

/** What is at a path; undefined if nothing is. */
export function stat(path: string): Promise<Deno.FileInfo | undefined> {
  return Deno.stat(path).catch(() => undefined);
}

/** The files that a command line reads, and those that the job of the checkpoint it resumes does. */
export function inputsOf({ given, resume, from, input }: Arguments, job?: StoredJob): string[] {
  const named = [given, job?.own].flatMap((of) => {
    const { format: _, ...paths } = of?.files ?? {} as typeof given.files;
    return [...Object.values(paths).flat(), of?.pairs?.targetFile, of?.pairs?.testTargetFile];
  });
  const isPath = (path: unknown) => typeof path === "string" && path !== "-" && !isSample(path);
  return [...named, resume, from, input].filter(isPath) as string[];
}

/**
 * Refuses a path that would be written over an input: by whatever name, through a link too, or within a folder that is read.
 *
 * @param flag What asks for it: "--log-file".
 * @throws {UsageError} If it is one.
 */
export async function refuseInput(flag: string, path: string, inputs: readonly string[]): Promise<void> {
  for (const input of inputs) {
    if (!await isSame(path, input)) continue;
    const name = input === path ? "" : `, which is "${input}",`;
    throw new UsageError(`${flag} "${path}"${name} is read by this very run, and would be lost: give it another name`);
  }
}

/** Whether a path leads to a file, or to one in a folder. */
async function isSame(path: string, other: string): Promise<boolean> {
  const [a, b] = await Promise.all([path, other].map(stat));
  if (!a || !b) return false;
  if (!a.isFile && !b.isDirectory) return false;
  if (a.ino !== null && a.ino === b.ino && a.dev === b.dev) return true;
  const [real, folder] = await Promise.all([path, other].map((name) => Deno.realPath(name).catch(() => undefined)));
  if (real === undefined || folder === undefined) return false;
  return real === folder || b.isDirectory && folderOf(real) === folder;
}

/** A path with a number before its ending: run.1.jsonl. */
function numbered(path: string, number: number): string {
  const name = nameOf(path), ending = /(?<=.)\.[^.]*$/.exec(name)?.[0] ?? "";
  return `${path.slice(0, path.length - ending.length)}.${number}${ending}`;
}

/** Takes the next free number for a file's name, with an empty file that holds the place. */
async function takeNumber(path: string): Promise<string> {
  for (let number = 1;; number++) {
    const name = numbered(path, number);
    try {
      (await Deno.open(name, { write: true, createNew: true })).close();
      return name;
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    }
  }
}

/** Renames an older file to the next free number; returns that name. */
export async function setAside(path: string): Promise<string> {
  const name = await takeNumber(path);
  await Deno.rename(path, name);
  return name;
}

/**
 * Makes sure that a file can be put at a path.
 *
 * @throws What the file system throws; nothing is left.
 */
export async function checkPlace(path: string): Promise<void> {
  const there = await stat(path);
  if (there?.isDirectory) throw new Deno.errors.IsADirectory();
  if (there && !there.isFile) return;
  const temporary = `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  (await Deno.open(temporary, { write: true, createNew: true })).close();
  await Deno.remove(temporary);
}

/**
 * Puts a file at a path with the care of `writeDurably`. An older file of other content is kept under a number.
 *
 * @returns The name of the older file, if there was one.
 */
export async function replaceFile(path: string, content: Content): Promise<string | undefined> {
  const there = await stat(path);
  if (there && !there.isFile && !there.isDirectory) {
    // A device or a pipe: what is written there cannot be taken back.
    using file = await Deno.open(path, { write: true });
    await writeContent(file, content);
    return undefined;
  }
  let aside: string | undefined;
  await writeDurably(path, content, async (temporary) => {
    if (!there?.isFile || !there.size || await sameBytes(path, String(temporary))) return;
    await copyDurably(path, aside = await takeNumber(path));
  });
  return aside;
}

/** Whether two files are there and hold the same bytes; they are read in pieces. */
export async function sameBytes(a: string, b: string): Promise<boolean> {
  const [one, other] = await Promise.all([a, b].map(stat));
  if (!one?.isFile || !other?.isFile || one.size !== other.size) return false;
  using first = await Deno.open(a);
  using second = await Deno.open(b);
  const [left, right] = [new Uint8Array(1 << 18), new Uint8Array(1 << 18)] as const;
  for (;;) {
    const [n, m] = [await readFull(first, left), await readFull(second, right)];
    if (n !== m) return false;
    if (n === 0) return true;
    for (let i = 0; i < n; i++) if (left[i] !== right[i]) return false;
  }
}

async function readFull(file: Deno.FsFile, bytes: Uint8Array): Promise<number> {
  let done = 0;
  while (done < bytes.length) {
    const count = await file.read(bytes.subarray(done));
    if (count === null) break;
    done += count;
  }
  return done;
}
