/** The log of a training: a JSON line per epoch, each whole, and in step with the checkpoint that is resumed. */

import type { EpochRecord, EpochReport } from "../train/history.ts";
import { writeAll } from "../train/durable.ts";
import { folderOf, mayWrite, reason } from "./files.ts";
import { UsageError } from "../job/options.ts";
import type { Arguments } from "./options.ts";
import { remark } from "./terminal.ts";
import { refuseInput, setAside, stat } from "./written_files.ts";

/** What goes into every line before the results of its epoch. */
export interface LineHead {
  readonly run?: string;
  readonly seed: number;
}

/** The training that a log is of. */
export interface LoggedTraining {
  readonly head: LineHead;
  /** The epochs of the checkpoint that it resumes. */
  readonly history?: readonly EpochRecord[];
  /** Whether the log is to hold accuracies. */
  readonly hasAccuracy: boolean;
}

/** What of a log is kept: its first bytes, and what is to follow. */
interface Kept {
  readonly end: number;
  readonly more: string;
}

const NEWLINE = 0x0a, decoder = new TextDecoder();

/** A line of the log. */
type Line = Partial<EpochReport> & Partial<LineHead>;

/** Another run writes to the log. */
class Busy extends Error {
  constructor(path: string) {
    super(`cannot write log "${path}": another run writes there; give this one another --log-file`);
  }
}

/** A log, and its lock: no other run writes there until it is closed, however this one ends. */
export class LogFile implements Disposable {
  readonly path: string;
  readonly #training: LoggedTraining;
  readonly #file: Deno.FsFile;
  /** Bytes of whole lines; undefined where what is written cannot be taken back. */
  #length: number | undefined;
  /** Lines that could not be written yet. */
  #waiting = "";
  #isSynced = true;

  private constructor(path: string, training: LoggedTraining, file: Deno.FsFile, length?: number) {
    this.path = path;
    this.#training = training;
    this.#file = file;
    this.#length = length;
  }

  /**
   * The log that a command line asks for, if it is permitted. A fresh run sets an older log aside. A resumed one continues the
   * log of its training, cut back to the epochs of its checkpoint.
   *
   * @throws {Error} If it cannot be written, or another run writes there.
   */
  static async open(
    args: Arguments,
    training: LoggedTraining,
    inputs: readonly string[],
  ): Promise<LogFile | undefined> {
    const { logFile: path } = args;
    if (path === undefined || !await mayWrite(path, ["write"], `the log "${path}"`, args)) return undefined;
    try {
      const fresh = await create(path);
      if (fresh) return new LogFile(path, training, fresh, 0);
      // What is there must be read, and may have to make room.
      const folder = folderOf(path);
      if (!await mayWrite(folder, ["read", "write"], `the log "${path}"`, args)) return undefined;
      await refuseInput("--log-file", path, inputs);
      return await LogFile.#over(path, args.run?.isFirst === false, training);
    } catch (error) {
      if (error instanceof UsageError || error instanceof Busy) throw error;
      throw new Error(`cannot write log "${path}": ${await reason(error, path)}`);
    }
  }

  /** A log where something stands already. */
  static async #over(path: string, goesOn: boolean, training: LoggedTraining): Promise<LogFile> {
    const there = await stat(path);
    if (there?.isDirectory) throw new Deno.errors.IsADirectory();
    // A device or a pipe.
    if (there && !there.isFile) return new LogFile(path, training, await Deno.open(path, { write: true }));
    const file = await Deno.open(path, { read: true, write: true, create: true });
    await lock(file, path);
    try {
      const bytes = await Deno.readFile(path);
      const kept = goesOn || !bytes.length
        ? { end: bytes.lastIndexOf(NEWLINE) + 1, more: "" }
        : inStep(bytes, training);
      if (kept) {
        await file.truncate(kept.end);
        const log = new LogFile(path, training, file, kept.end);
        log.#waiting = kept.more;
        await log.#write();
        return log;
      }
      const name = await setAside(path);
      remark(`note: the log of an earlier run is kept as "${name}"`);
    } catch (error) {
      file.close();
      throw error;
    }
    file.close();
    const fresh = await create(path);
    if (!fresh) throw new Busy(path);
    return new LogFile(path, training, fresh, 0);
  }

  /**
   * Adds the line of an epoch. Where that fails, the log ends with the last whole line, and the next call writes both.
   *
   * @throws What the file system throws.
   */
  async add(report: EpochReport): Promise<void> {
    const { head, hasAccuracy } = this.#training;
    this.#waiting += lineOf(head, report, hasAccuracy);
    await this.#write();
  }

  async #write(): Promise<void> {
    if (!this.#waiting) return;
    const bytes = new TextEncoder().encode(this.#waiting), from = this.#length;
    if (from === undefined) {
      this.#waiting = "";
      return await writeAll(this.#file, bytes);
    }
    try {
      await this.#file.seek(from, Deno.SeekMode.Start);
      await writeAll(this.#file, bytes);
    } catch (error) {
      await this.#file.truncate(from).catch(() => {});
      throw error;
    }
    this.#length = from + bytes.length;
    this.#waiting = "";
    this.#isSynced = false;
  }

  /** Flushes the lines with fsync, before a checkpoint is written that has their epochs behind it. */
  async sync(): Promise<void> {
    if (this.#isSynced) return;
    this.#isSynced = true;
    await this.#file.syncData();
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

/** A new file, locked; undefined if something is there. */
async function create(path: string): Promise<Deno.FsFile | undefined> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path, { write: true, createNew: true });
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return undefined;
    throw error;
  }
  await lock(file, path);
  return file;
}

async function lock(file: Deno.FsFile, path: string): Promise<void> {
  let isFree: boolean;
  try {
    isFree = await file.tryLock(true);
  } catch (error) {
    // Some file systems have no locks.
    if (!["ENOTSUP", "EOPNOTSUPP", "ENOSYS", "ENOLCK"].includes((error as { code?: string }).code ?? "")) throw error;
    return;
  }
  if (isFree) return;
  file.close();
  throw new Busy(path);
}

function parse(line: string): Line | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * How many bytes of a log are of the epochs that its training has behind it, and the lines that are missing after them, which
 * a full disk kept out. Undefined if it is the log of another training.
 */
function inStep(bytes: Uint8Array, { head, history, hasAccuracy }: LoggedTraining): Kept | undefined {
  if (!history) return undefined;
  let end = 0, next: number | undefined;
  for (let stop; (stop = bytes.indexOf(NEWLINE, end)) >= 0; end = stop + 1) {
    const { epoch, trainLoss, validationLoss, seed, run } = parse(decoder.decode(bytes.subarray(end, stop))) ?? {};
    if (epoch === undefined || seed !== head.seed || run !== head.run || epoch !== (next ?? epoch)) return undefined;
    next = epoch;
    const record = history[epoch - 1];
    // The run was killed after this line, and before the next checkpoint.
    if (!record) break;
    if (record.trainLoss !== trainLoss || record.validationLoss !== validationLoss) return undefined;
    next++;
  }
  // What is torn off behind the last line must be the beginning of one.
  const torn = decoder.decode(bytes.subarray(bytes.lastIndexOf(NEWLINE) + 1)),
    start = JSON.stringify(head).slice(0, -1);
  if (!torn.startsWith(start) && !start.startsWith(torn)) return undefined;
  // Not one whole line: nothing says with which epoch the log began.
  const missing = next === undefined ? history : history.slice(next - 1);
  return { end, more: missing.map((record) => lineOf(head, record, hasAccuracy)).join("") };
}

/** Adds lines to the end of a log that is there. */
export async function appendLines(path: string, lines: string): Promise<void> {
  using file = await Deno.open(path, { append: true });
  await writeAll(file, new TextEncoder().encode(lines));
}

/** The results of an epoch in the log. */
export function lineOf(head: LineHead, report: EpochRecord | EpochReport, hasAccuracy: boolean): string {
  const { trainAccuracy: _train, validationAccuracy: _test, ...rest } = report;
  return `${JSON.stringify({ ...head, ...hasAccuracy ? report : rest })}\n`;
}
