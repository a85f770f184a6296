/** The terminal: lines, and one live line below them that is rewritten in place. */

import { display } from "../display.ts";
import { stderr, stdout } from "./stream.ts";

/** Lines to standard output, with a progress line where that is a terminal. */
export class Terminal {
  /** Milliseconds that the program waits at its end for somebody to read more. */
  static patience = Infinity;
  /** Whether a terminal is one: mpirun shows its processes one that may end in a pipe. */
  static isKnown = true;
  readonly #out: typeof stdout;
  readonly #live: boolean;
  #shown = 0;
  #last = -Infinity;

  /** @param options Whether lines go to standard error, as standard output is for data. */
  constructor({ apart = false }: { readonly apart?: boolean } = {}) {
    this.#out = apart ? stderr : stdout;
    this.#live = Terminal.isKnown && (apart ? Deno.stderr : Deno.stdout).isTerminal();
  }

  /** A line that stays, whatever it quotes. */
  line(text: string): void {
    this.clear();
    this.#out.write(`${display(text)}\n`);
  }

  /** A line of a long run: left out where nobody reads what was printed before. */
  news(text: string): void {
    this.clear();
    this.#out.news(display(text));
  }

  /** A line of this program's own making, with codes of colours. */
  styled(text: string): void {
    this.clear();
    this.#out.write(`${text}\n`);
  }

  /** A line that is data: as it is for a program, fit to be seen on a terminal. Waits where too much waits already. */
  async data(text: string): Promise<void> {
    this.#out.write(`${this.#live ? display(text) : text}\n`);
    await this.#out.ready();
  }

  /** The live line, at most ten times a second; nothing where standard output is no terminal. */
  progress(text: () => string): void {
    const now = performance.now();
    if (!this.#live || now - this.#last < 100 || !this.#out.isQuick) return;
    this.#last = now;
    const shown = text().slice(0, columns() - 1);
    this.#out.write(`\r${shown}\x1b[K`);
    this.#shown = shown.length;
  }

  /** Takes the live line away. */
  clear(): void {
    if (this.#shown > 0) this.#out.write("\r\x1b[K");
    this.#shown = 0;
  }
}

/** One JSON document to standard output, the only thing there. */
export async function writeDocument(document: object): Promise<void> {
  stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  await stdout.ready();
}

/** Signals that stop the program, with its exit codes. */
export const INTERRUPTED = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** Milliseconds within which a signal that comes again is the same: whatever ends a job may send it twice. */
export const TWICE = 300;

/** Columns of the terminal; 80 where there is none. */
export function columns(): number {
  try {
    return Deno.consoleSize().columns || 80;
  } catch {
    return 80;
  }
}

/** Whether standard output looks like the terminal that mpirun shows its processes: of no size, and nobody types. */
export function isLaunchersTerminal(): boolean {
  try {
    return !Deno.stdin.isTerminal() && Deno.stdout.isTerminal() && Deno.consoleSize().columns === 0;
  } catch {
    return false;
  }
}

/** A remark to standard error: what could not be done, or what to do. */
export function remark(text: string): void {
  stderr.write(`${display(text.replaceAll(/[\t\r\n]+/g, " "), LONGEST)}\n`);
}

/** Characters of a remark at most: the longest path that a system takes, in a command that names it several times. */
const LONGEST = 1 << 15;

/** Seconds as 0:07, 12:34 or 1:02:03. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (n: number) => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** A time that suits its size: 3.1 ms, 1.24 s, 2:05. */
export function duration(seconds: number): string {
  if (seconds < 1) return `${(seconds * 1000).toFixed(1)} ms`;
  return seconds < 60 ? `${seconds.toFixed(2)} s` : clock(seconds);
}
