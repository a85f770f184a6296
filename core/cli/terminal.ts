/** The terminal: lines, and one live line below them that is rewritten in place. */

const encoder = new TextEncoder();

function write(text: string): void {
  const bytes = encoder.encode(text);
  for (let done = 0; done < bytes.length;) done += Deno.stdout.writeSync(bytes.subarray(done));
}

/** Lines to standard output, with a progress line where that is a terminal. */
export class Terminal {
  readonly #live = Deno.stdout.isTerminal();
  #shown = 0;
  #last = -Infinity;

  /** A line that stays. */
  line(text: string): void {
    this.clear();
    write(`${text}\n`);
  }

  /** The live line, at most ten times a second; nothing where standard output is no terminal. */
  progress(text: () => string): void {
    const now = performance.now();
    if (!this.#live || now - this.#last < 100) return;
    this.#last = now;
    const shown = text().slice(0, columns() - 1);
    write(`\r${shown}\x1b[K`);
    this.#shown = shown.length;
  }

  /** Takes the live line away. */
  clear(): void {
    if (this.#shown > 0) write("\r\x1b[K");
    this.#shown = 0;
  }
}

/** Columns of the terminal; 80 where there is none. */
export function columns(): number {
  try {
    return Deno.consoleSize().columns || 80;
  } catch {
    return 80;
  }
}

/** A remark to standard error: what could not be done, or what to do. */
export function remark(text: string): void {
  console.error(text);
}

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
