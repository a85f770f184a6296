/**
 * Bodies of requests: how much of them is read, and as what.
 *
 * @module
 */

import { gunzip } from "../data/readers/gzip.ts";
import { parseShallow } from "../data/readers/json.ts";
import { show } from "../data/readers/bad_data.ts";
import { iterate } from "../engine.ts";
import type { GivenOptions } from "../job/options.ts";
import type { DataSource } from "../job/read_data.ts";
import { Problem } from "./problem.ts";

/** What the bodies of requests are called. */
export const BODY = "body";

/** How bodies are read. */
export interface BodyLimits {
  /** Bytes at most, unpacked. */
  readonly maxBody: number;
  /** Milliseconds until all of it must have come. */
  readonly bodyTimeout: number;
}

/** What bodies are, by their types. */
const TYPES: Readonly<Record<string, BodyFormat>> = {
  "application/json": "json",
  "application/x-ndjson": "jsonl",
  "application/jsonl": "jsonl",
  "application/jsonlines": "jsonl",
  "application/x-jsonlines": "jsonl",
  "text/csv": "csv",
  "text/tab-separated-values": "csv",
  "text/plain": "text",
};

/** What a body is written in. */
export type BodyFormat = "json" | "jsonl" | "csv" | "text";

/**
 * The format that a request's type names.
 *
 * @param takes Those that there may be.
 */
export function formatOf(request: Request, takes: readonly BodyFormat[]): BodyFormat {
  const type = request.headers.get("content-type");
  if (type === "application/json") return "json";
  const [name = "", ...parameters] = (type ?? "").toLowerCase().split(";").map((part) => part.trim());
  const format = Object.hasOwn(TYPES, name) ? TYPES[name] : undefined;
  const charset = parameters.find((parameter) => parameter.startsWith("charset="))?.slice(8).replaceAll('"', "");
  const known = Object.keys(TYPES).filter((one) => takes.includes(TYPES[one]!)).join(", ");
  if (!format || !takes.includes(format)) {
    const got = type === null ? "none" : show(type);
    throw new Problem(415, `content-type must be one of ${known}, got ${got}`, { headers: { accept: known } });
  }
  if (charset !== undefined && charset !== "utf-8" && charset !== "utf8") {
    throw new Problem(415, `the body must be UTF-8, got the charset ${show(charset)}`);
  }
  return format;
}

/** Whether bytes are gzip. */
function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

function tooLarge(limit: number, what = "the body"): Problem {
  return new Problem(413, `${what} is larger than ${limit} bytes, the limit: --max-body (maxBody) raises it`, {
    headers: { connection: "close" },
  });
}

/** In Deno, timers are numbers. */
const unrefTimer = (globalThis as { Deno?: { unrefTimer?(timer: number): void } }).Deno?.unrefTimer;

/** Reads bodies. One clock is enough for all that are on their way: they are due in the order in which they came. */
export class Bodies {
  readonly #limits: BodyLimits;
  /** How each is refused, and when. */
  readonly #pending = new Map<(problem: Problem) => void, number>();
  #isTicking = false;

  constructor(limits: BodyLimits) {
    this.#limits = limits;
  }

  /**
   * All bytes of a body, unpacked.
   *
   * @param since When the request came.
   */
  bytesOf(request: Request, since = performance.now()): Promise<Uint8Array> {
    const { headers } = request, { maxBody } = this.#limits;
    const length = headers.get("content-length"),
      encoding = headers.get("content-encoding")?.toLowerCase() ?? "identity";
    if (encoding !== "identity" && encoding !== "gzip") {
      throw new Problem(415, `content-encoding must be gzip or none, got ${show(encoding)}`, {
        headers: { "accept-encoding": "gzip" },
      });
    }
    if (length !== null && Number(length) > maxBody) throw tooLarge(maxBody);
    // Streams are slower than bodies of a known length.
    if (length === null && request.body === null) return Promise.resolve(new Uint8Array());
    // Firefox shows none.
    const work: Promise<Uint8Array | ArrayBuffer> = length === null && request.body
      ? limited({ [Symbol.asyncIterator]: () => iterate(request.body!) }, maxBody)
      : request.arrayBuffer();
    return this.#inTime(work, since, (read) => {
      const bytes = read instanceof ArrayBuffer ? new Uint8Array(read) : read;
      if (bytes.length > maxBody) throw tooLarge(maxBody);
      if (encoding === "gzip") return unpacked(bytes, maxBody);
      if (isGzip(bytes)) throw new Problem(415, "the body is gzip: content-encoding: gzip says so");
      return bytes;
    });
  }

  /** What is made of what a promise gives, if it does so in time. */
  #inTime<T, U>(work: Promise<T>, since: number, made: (value: T) => U | Promise<U>): Promise<U> {
    const limit = this.#limits.bodyTimeout;
    return new Promise((resolve, reject) => {
      this.#pending.set(reject, since + limit);
      if (!this.#isTicking) this.#tick(limit);
      work.then((value) => {
        this.#pending.delete(reject);
        try {
          resolve(made(value));
        } catch (error) {
          reject(error);
        }
      }, (error) => {
        this.#pending.delete(reject);
        // What breaks while it comes is not ours.
        reject(
          error instanceof Problem ? error : new Problem(400, "the body breaks off, or is not what its headers say"),
        );
      });
    });
  }

  #tick(wait: number): void {
    this.#isTicking = true;
    const timer = setTimeout(() => {
      const now = performance.now(), late = `the body did not come within ${this.#limits.bodyTimeout / 1000} s`;
      this.#isTicking = false;
      for (const [reject, due] of this.#pending) {
        if (due > now) return this.#tick(due - now);
        this.#pending.delete(reject);
        reject(new Problem(408, late, { headers: { connection: "close" } }));
      }
    }, wait);
    // It keeps no program from ending.
    if (typeof timer === "object") (timer as { unref?(): void }).unref?.();
    else unrefTimer?.(timer);
  }
}

/** All bytes of what comes in pieces, unless they are too many. */
async function limited(source: AsyncIterable<Uint8Array>, limit: number, what?: string): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of source) {
    size += piece.length;
    if (size > limit) throw tooLarge(limit, what);
    pieces.push(piece);
  }
  if (pieces.length === 1) return pieces[0]!;
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** Packed bytes that are unpacked at a time: they may become a thousand times as many before it is seen that they do. */
const PACKED = 4096;

async function unpacked(bytes: Uint8Array, limit: number): Promise<Uint8Array> {
  if (!isGzip(bytes)) throw new Problem(400, "the body is not the gzip that its content-encoding says");
  const parts = (async function* () {
    for (let at = 0; at < bytes.length; at += PACKED) yield bytes.subarray(at, at + PACKED);
  })();
  const found = await limited(gunzip(BODY, parts), limit, "the unpacked body");
  if (isGzip(found)) throw new Problem(415, "the body is gzip within gzip");
  return found;
}

const decoder = new TextDecoder("utf-8", { fatal: true });

/** The text of a body. */
export function textOf(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new Problem(400, "the body is not UTF-8");
  }
}

/** What the JSON of a body holds. */
export function jsonOf(bytes: Uint8Array): unknown {
  const text = textOf(bytes);
  if (text.trim() === "") throw new Problem(400, "the body is empty");
  return parseShallow(BODY, 1, text);
}

/** A body as the one file there is. */
export function bodySource(bytes: Uint8Array, given: GivenOptions): DataSource {
  const input = {
    name: BODY,
    isOnce: true,
    stream: async function* () {
      yield bytes;
    },
  };
  return {
    action: "predict",
    given,
    parts: () => Promise.resolve(undefined),
    inputs: () => Promise.resolve([input]),
    file: () => input,
  };
}
