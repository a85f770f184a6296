/**
 * How the benchmarks talk to their sides. A side is a process of its own that stays alive between its turns, so that
 * sides can take turns within seconds and do not share an engine, a memory or threads. One line of JSON asks, one
 * answers:
 *
 *     {"op": "train", "size", "parameters", "x", "targets", "threads"} → {"about", "versions", "loss", "gradients"}
 *     {"op": "steps", "count"}                                         → {"losses"}: before each of the steps
 *     {"op": "run", "ms", "most"}                                      → {"steps", "median", "p10", "mean"} in ms
 *     {"op": "predict", "size", "parameters", "x", "threads"}          → {…, "probabilities", "calls"}: the names of calls
 *     {"op": "call", "name", "ms"}                                     → as "run", of one of those calls
 *     {"op": "make", "size", "threads"}                                → {"about", "versions"}: its own parameters
 *     {"op": "digest"}                                                 → {"digest"} of all parameters
 *     {"op": "memory"}                                                 → {"resident"} bytes, and more where known
 *     {"op": "end"}
 *
 * Arrays travel as the base64 of their little-endian float32; an error as {"error": text}. Other lines are the chatter
 * of libraries and are passed over.
 *
 * @module
 */

import type { StateDict } from "../../mod.ts";
import type { Size, Work } from "./work.ts";

/** An array as it travels. */
interface Packed {
  readonly shape: readonly number[];
  readonly data: string;
}

/** A request with work in it, as it travels. */
interface WorkRequest {
  readonly op: "train" | "predict";
  readonly size: Size;
  readonly parameters: Record<string, Packed>;
  readonly x: string;
  readonly targets: string;
  readonly threads: number;
}

/** What a side is: in words, and the versions of what it runs on. */
interface Described {
  readonly about: string;
  readonly versions: Record<string, string>;
}

/** A side that trains. */
export interface Trainee extends Described {
  /** The loss of the batch and its gradients by every parameter, under PyTorch's names. */
  gradients(): Promise<{ loss: number; gradients: Record<string, Float32Array> }>;
  /** What is timed: forward, backward, Adam. It has happened when this returns, or when what it returns is settled. */
  step(): unknown;
  /** The loss that the last step started from. */
  loss(): number | Promise<number>;
  /** Bytes in use, by name. */
  memory?(): Record<string, number>;
  /** Of all parameters: equal where they are the same bits. */
  digest?(): Promise<string>;
}

/** A side that predicts. */
export interface Predictor extends Described {
  /** (B, O). */
  probabilities(): Promise<ArrayLike<number>>;
  /** What is timed, by name: "single…" is one sequence, "batch" all of the work's. */
  readonly calls: Record<string, () => unknown>;
}

/** Times of calls, in milliseconds. */
export interface Times {
  readonly steps: number;
  readonly median: number;
  readonly p10: number;
  readonly mean: number;
}

/** What a side answers to "train". */
export interface Trained extends Described {
  readonly loss: number;
  readonly gradients: Record<string, string>;
}

/** What a side answers to "predict". */
export interface Predicted extends Described {
  readonly probabilities: string;
  readonly calls: string[];
}

/** Float32 numbers as base64. */
export function pack(data: ArrayLike<number>): string {
  const { buffer, byteOffset, byteLength } = data instanceof Float32Array ? data : Float32Array.from(data);
  return new Uint8Array(buffer, byteOffset, byteLength).toBase64();
}

/** The reverse of pack. */
export function unpack(text: string): Float32Array<ArrayBuffer> {
  return new Float32Array(Uint8Array.fromBase64(text).buffer);
}

/** The lines of a stream. One may be 30 MB long: pieces are put together once. */
async function* lines(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let pieces: string[] = [];
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    const parts = chunk.split("\n");
    for (const part of parts.slice(0, -1)) {
      yield pieces.join("") + part;
      pieces = [];
    }
    pieces.push(parts.at(-1)!);
  }
}

/** Calls a function for `ms` milliseconds, at least once and at most `most` times. */
export async function time(call: () => unknown, ms: number, most = Infinity): Promise<Times> {
  const times: number[] = [], end = performance.now() + ms;
  for (let now = performance.now(); now < end && times.length < most || times.length === 0;) {
    const result = call();
    if (result instanceof Promise) await result;
    const next = performance.now();
    times.push(next - now);
    now = next;
  }
  const mean = times.reduce((a, b) => a + b) / times.length;
  times.sort((a, b) => a - b);
  const steps = times.length, at = (share: number) => times[Math.floor(share * (steps - 1))]!;
  return { steps, median: (at(0.5) + times[steps >> 1]!) / 2, p10: at(0.1), mean };
}

/** A side's main loop: answers requests from standard input until "end". */
export async function serve(
  { train, make, predict }: {
    train?: (work: Work, threads: number) => Promise<Trainee>;
    make?: (size: Size, threads: number) => Promise<Trainee>;
    predict?: (work: Omit<Work, "targets">, threads: number) => Promise<Predictor>;
  },
): Promise<void> {
  let trainee: Trainee | undefined, predictor: Predictor | undefined;
  const works = (request: WorkRequest): Work => ({
    size: request.size,
    parameters: Object.fromEntries(
      Object.entries(request.parameters).map(([name, { shape, data }]) => [name, { shape, data: unpack(data) }]),
    ),
    x: unpack(request.x),
    targets: unpack(request.targets),
  });
  // deno-lint-ignore no-explicit-any -- the shapes of requests stand above
  const answer = async (request: any): Promise<unknown> => {
    switch (request.op) {
      case "train": {
        trainee = await train!(works(request), request.threads);
        const { loss, gradients } = await trainee.gradients(), { about, versions } = trainee;
        const packed = Object.entries(gradients).map(([name, data]) => [name, pack(data)]);
        return { about, versions, loss, gradients: Object.fromEntries(packed) } satisfies Trained;
      }
      case "make": {
        trainee = await make!(request.size, request.threads);
        const { about, versions } = trainee;
        return { about, versions } satisfies Described;
      }
      case "digest":
        return { digest: await trainee!.digest!() };
      case "steps": {
        const losses: number[] = [];
        for (let i = 0; i < request.count; i++) {
          await trainee!.step();
          losses.push(await trainee!.loss());
        }
        return { losses };
      }
      case "run":
        return await time(() => trainee!.step(), request.ms, request.most ?? Infinity);
      case "predict": {
        predictor = await predict!(works(request), request.threads);
        const { about, versions, calls } = predictor, probabilities = pack(await predictor.probabilities());
        return { about, versions, probabilities, calls: Object.keys(calls) } satisfies Predicted;
      }
      case "call":
        return await time(predictor!.calls[request.name]!, request.ms);
      case "memory":
        return { ...trainee?.memory?.(), resident: Deno.memoryUsage().rss };
      default:
        throw new TypeError(`Cannot answer "${request.op}"`);
    }
  };
  for await (const line of lines(Deno.stdin.readable)) {
    const request = JSON.parse(line);
    if (request.op === "end") break;
    const reply = await answer(request).catch((error) => ({ error: String(error?.message ?? error) }));
    const bytes = new TextEncoder().encode(JSON.stringify(reply) + "\n");
    for (let sent = 0; sent < bytes.length;) sent += await Deno.stdout.write(bytes.subarray(sent));
  }
  // Workers of libraries must not keep the process.
  Deno.exit(0);
}

/** A process that does a side's work. */
export class Side implements Disposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #replies: AsyncGenerator<string>;
  #complaints = "";
  #ended = false;

  constructor(command: string, args: readonly string[], env: Record<string, string> = {}) {
    this.#child = new Deno.Command(command, {
      args: [...args],
      env: { NO_COLOR: "1", ...env },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#replies = lines(this.#child.stdout);
    this.#listen();
  }

  async #listen() {
    for await (const chunk of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
      this.#complaints = (this.#complaints + chunk).slice(-2000);
    }
  }

  /**
   * Asks, and waits for the answer.
   *
   * @param patience Milliseconds after which the process is ended.
   * @throws {Error} If it answers with an error, ends, or does not answer in time.
   */
  async ask<Reply>(request: Record<string, unknown>, patience = 600_000): Promise<Reply> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this[Symbol.dispose]();
        reject(new Error(`no answer to "${request.op}" within ${patience / 1000} s`));
      }, patience);
    });
    try {
      return await Promise.race([this.#ask<Reply>(request), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #ask<Reply>(request: Record<string, unknown>): Promise<Reply> {
    // A process that has ended shows in its output, which ends.
    await this.#input.write(new TextEncoder().encode(JSON.stringify(request) + "\n")).catch(() => {});
    for (;;) {
      const { value: line, done } = await this.#replies.next();
      if (done) throw new Error(lastLine(this.#complaints) || "the process ended");
      if (!line.startsWith("{")) continue;
      const reply = JSON.parse(line);
      if (reply.error !== undefined) throw new Error(reply.error);
      return reply;
    }
  }

  /** Gives work to do. */
  give<Reply>(op: "train" | "predict", work: Work, threads: number, patience?: number): Promise<Reply> {
    const { size, parameters, x, targets } = work;
    return this.ask(
      { op, size, parameters: packed(parameters), x: pack(x), targets: pack(targets), threads },
      patience,
    );
  }

  [Symbol.dispose](): void {
    if (this.#ended) return;
    this.#ended = true;
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It had ended by itself.
    }
  }
}

function packed(parameters: StateDict): Record<string, Packed> {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, { shape, data }]) => [name, { shape, data: pack(data) }]),
  );
}

/** What a program that failed said last, such as the message under a Python traceback. */
function lastLine(text: string): string {
  const said = text.trim().split("\n").filter((line) => line.trim() && !line.trim().startsWith("at "));
  return said.findLast((line) => /error/i.test(line))?.trim() ?? said.at(-1)?.trim() ?? "";
}
