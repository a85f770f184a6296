import assert from "node:assert/strict";
import { type Input, type ReadOptions, readRecords, type SequenceRecord } from "../../../mod.ts";

/** An input that comes in pieces of some bytes. */
export function input(name: string, content: string | Uint8Array, piece = 7, label?: string): Input {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  async function* stream() {
    for (let i = 0; i < bytes.length; i += piece) yield await Promise.resolve(bytes.slice(i, i + piece));
  }
  return { name, stream, ...label !== undefined && { label } };
}

/** All records of a file. */
export async function read(
  name: string,
  content: string | Uint8Array,
  options: ReadOptions = {},
): Promise<SequenceRecord[]> {
  return await Array.fromAsync((await readRecords(input(name, content, 1 + content.length % 1009), options)).records);
}

/** A record in short: its numbers or text, and its labels. */
export function short({ values, text, labels }: SequenceRecord): unknown[] {
  return [text ?? [...values!], ...labels ? [labels.join("|")] : []];
}

/** Holds that reading a file fails with a message, on one line, of one of our classes. */
export async function assertFails(
  name: string,
  content: string | Uint8Array,
  message: string | RegExp,
  options: ReadOptions = {},
): Promise<void> {
  await assert.rejects(read(name, content, options), (error: Error) => {
    assert.ok([TypeError, RangeError, SyntaxError].some((kind) => error.constructor === kind), `${error.stack}`);
    assert.ok(!error.message.includes("\n"), error.message);
    if (typeof message === "string") assert.equal(error.message, `Cannot read ${name}: ${message}`);
    else assert.match(error.message, message);
    return true;
  });
}
