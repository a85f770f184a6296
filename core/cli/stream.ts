/**
 * Standard output and standard error, written in the background: a reader that is slow, stuck or gone keeps nobody from
 * working. What is written to both appears in order, unless one of them is stuck.
 */

import { loadFs } from "../../deps.ts";

/** Characters that may wait before news are left out: nobody reads them. */
const MOST = 1 << 20;

/** Milliseconds until a pipe that takes no more is tried again, and that one stream waits for the other's turn. */
const RETRY = 20, TURN = 200;

/**
 * Bytes that are written at a time: a pipe takes as many whole or not at all (PIPE_BUF), which must be known where it does
 * not block. Deno does not say how many it has taken before it was full.
 */
const PIECE = Deno.build.os === "linux" ? 4096 : Deno.build.os === "windows" ? 1 << 16 : 512;

/** Bytes that are written at a time to a file, which takes what there is: each write costs as much as hundreds of lines. */
const FILE_PIECE = 1 << 16;

/** Bytes from which it is asked whether they go to a file, which takes a few milliseconds. */
const MUCH = 1 << 14;

/** Text that waits for its turn. */
interface Entry {
  readonly stream: OutputStream;
  readonly texts: string[];
  isUnderWay: boolean;
  done: Promise<void>;
}

/** What was written last, to either stream. */
let last: Entry | undefined;

/** A stream of lines to a person or a program. */
export class OutputStream {
  readonly #write: (bytes: Uint8Array) => Promise<number>;
  readonly #isFile: () => Promise<boolean>;
  /** Bytes at a time, once it is known where they go. */
  #piece: number | undefined;
  /** What was written last to this stream. */
  #last: Entry | undefined;
  /** Characters that wait, and news that were left out. */
  #waiting = 0;
  #leftOut = 0;
  #failure: Error | undefined;
  readonly #failures = new WeakSet<object>();
  #isGone = false;
  #captured: string[] | undefined;
  /** Whether nothing is to be written: of processes that train together, one speaks. */
  isSilent = false;
  /** Bytes written so far. */
  #written = 0;

  /**
   * @param write Writes some of the bytes; says how many.
   * @param isFile Whether it is a file on a disk. Asked once there is much to write.
   */
  constructor(write: (bytes: Uint8Array) => Promise<number>, isFile = () => Promise.resolve(false)) {
    this.#write = write;
    this.#isFile = isFile;
  }

  /** Why the last text could not be written; undefined if it could. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Whether an error is one that text could not be written for. */
  failedWith(error: unknown): boolean {
    return this.#failures.has(error as object);
  }

  /** Whether nobody reads it any more: a pipe whose reader has ended, a terminal that was closed. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** Whether all is written. */
  get isIdle(): boolean {
    return this.#waiting === 0;
  }

  /** Whether so little waits that a line more is no burden. */
  get isQuick(): boolean {
    return this.#waiting < PIECE;
  }

  /** Keeps what is written from here on to itself. Returns what ends that, and gives the text. */
  capture(): () => string {
    const before = this.#captured, texts: string[] = this.#captured = [];
    return () => {
      this.#captured = before;
      return texts.join("");
    };
  }

  /** Writes text, as soon as it can be. */
  write(text: string): void {
    if (this.#isGone) return;
    if (this.#captured) return void this.#captured.push(text);
    if (this.isSilent) return;
    this.#waiting += text.length;
    if (last && last.stream === this && !last.isUnderWay) return void last.texts.push(text);
    const before = last?.done, own = this.#last?.done;
    const entry: Entry = { stream: this, texts: [text], isUnderWay: false, done: Promise.resolve() };
    entry.done = (async () => {
      await own;
      if (before && before !== own) await within(before, TURN);
      entry.isUnderWay = true;
      await this.#put(entry.texts.join(""));
    })();
    last = this.#last = entry;
  }

  /**
   * Writes lines that may be left out where too much waits; how many were is said once the others are read.
   *
   * @param note Says that so many lines are left out.
   */
  news(lines: string, note = (count: number) => `… ${count} lines are left out, which nobody read`): void {
    if (this.#waiting > MOST) {
      this.#leftOut += lines.split("\n").length;
      return;
    }
    if (this.#leftOut) this.write(`${note(this.#leftOut)}\n`);
    this.#leftOut = 0;
    this.write(`${lines}\n`);
  }

  /** Waits until all is written. Returns whether it is, after so many milliseconds at most. */
  async flush(most = Infinity): Promise<boolean> {
    const end = performance.now() + most;
    while (!this.isIdle && performance.now() < end) await within(this.#last!.done, end - performance.now());
    return this.isIdle;
  }

  /** Waits until all is written, as long as some of it is in every so many milliseconds. Returns whether it is. */
  async finish(patience: number): Promise<boolean> {
    for (let before = -1; !this.isIdle && this.#written !== before;) {
      before = this.#written;
      await this.flush(patience);
    }
    return this.isIdle;
  }

  /**
   * Waits until little waits: for those who write more than fits memory.
   *
   * @throws What the last text could not be written for.
   */
  async ready(): Promise<void> {
    while (this.#waiting > MOST / 16) await this.#last!.done;
    if (this.#failure) throw this.#failure;
  }

  async #put(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    if (bytes.length > MUCH) this.#piece ??= await this.#isFile() ? FILE_PIECE : PIECE;
    const piece = this.#piece ?? PIECE;
    try {
      for (let done = 0; done < bytes.length && !this.#isGone;) {
        try {
          const count = await this.#write(bytes.subarray(done, done + piece));
          done += count;
          this.#written += count;
        } catch (error) {
          if (!(error instanceof Deno.errors.WouldBlock || error instanceof Deno.errors.Interrupted)) throw error;
          await new Promise((resolve) => setTimeout(resolve, RETRY));
        }
      }
      if (!this.#isGone) this.#failure = undefined;
    } catch (error) {
      this.#failure = error as Error;
      this.#failures.add(this.#failure);
      this.#isGone ||= isHangUp(error);
    } finally {
      this.#waiting -= text.length;
    }
  }
}

/** Whether a descriptor is that of a file on a disk. */
async function isFile(descriptor: number): Promise<boolean> {
  try {
    return (await loadFs()).fstatSync(descriptor).isFile();
  } catch {
    return false;
  }
}

/** Whether an error says that nobody is at the other end. */
function isHangUp(error: unknown): boolean {
  return error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset ||
    (error as { code?: string }).code === "EIO";
}

/** Waits for something, but not longer than so many milliseconds. */
async function within(promise: Promise<unknown>, most: number): Promise<void> {
  if (most === Infinity) return void await promise;
  let timer: ReturnType<typeof setTimeout> | undefined;
  await Promise.race([promise, new Promise((resolve) => timer = setTimeout(resolve, Math.max(0, most)))]);
  clearTimeout(timer);
}

/** Standard output. */
export const stdout = new OutputStream((bytes) => Deno.stdout.write(bytes), () => isFile(1));
/** Standard error. */
export const stderr = new OutputStream((bytes) => Deno.stderr.write(bytes), () => isFile(2));
