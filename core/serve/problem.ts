/** What is wrong with a request, in words and as a status. */

import { errorCause, type ErrorCode, messageOf } from "../errors.ts";
import { UsageError } from "../job/options.ts";

/** A request that cannot be answered. */
export class Problem extends Error {
  readonly status: number;
  /** The part of the body that is wrong: "[2].x[0][1]". */
  readonly field?: string;
  readonly code?: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    message: string,
    { field, code, headers = {} }: Partial<Pick<Problem, "field" | "code" | "headers">> = {},
  ) {
    super(message);
    this.status = status;
    this.field = field || undefined;
    this.code = code;
    this.headers = headers;
  }
}

/** Errors that no body is to blame for: everything else of the library is what is wrong with the data. */
const OURS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  ...[
    "disposed",
    "kernel-call",
    "program-unknown",
    "device-failed",
    "wiring",
    "outputs-unknown-meaning",
    "argument-type",
  ] as const,
  ...["simd-unavailable", "wasm-unavailable", "gpu-unavailable", "files-unavailable"] as const,
]);

/** What is too much. */
const TOO_MUCH: ReadonlySet<ErrorCode> = new Set<ErrorCode>(
  ["out-of-memory", "data-too-large", "file-too-large", "line-too-long"],
);

/**
 * What an error says to who asked; undefined where the fault is ours: what happened is nobody's business then.
 *
 * @param field The part of the body that it was met in.
 */
export function problemOf(error: unknown, field?: string): Problem | undefined {
  if (error instanceof Problem) return error;
  if (error instanceof UsageError) return new Problem(400, error.message, { field });
  const cause = errorCause(error);
  if (!cause || OURS.has(cause.code)) return undefined;
  const { code, option, name, column } = cause;
  // Whoever asks sets no options.
  const words = messageOf(option === undefined ? cause : { ...cause, advice: undefined }, "cannot");
  return new Problem(TOO_MUCH.has(code) ? 413 : 400, words, { code, field: field ?? column ?? name });
}

/** A member of what JSON holds, never one of its prototype. */
export function member(json: unknown, name: string): unknown {
  return typeof json === "object" && json !== null && Object.hasOwn(json, name)
    ? (json as Record<string, unknown>)[name]
    : undefined;
}
