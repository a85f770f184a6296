/** What comes from standard input, whose name says nothing. */

import type { Format, Input } from "../data/readers/record.ts";
import { STDIN } from "./reading_options.ts";

/** Whether an input comes but once. */
export function isOnce(input: Input & { readonly isOnce?: boolean }): boolean {
  return input.name === STDIN || input.isOnce === true;
}

/**
 * The format of what comes in, where its name does not tell: JSON Lines, a sequence or an object a line, unless the first
 * bytes are of something else. They are looked at, and still come.
 *
 * @param isText Whether it is text, a line each, if it is no JSON.
 */
export async function piped(input: Input, isText: boolean): Promise<{ input: Input; format?: Format }> {
  if (!isOnce(input)) return { input };
  const stream = (await input.stream())[Symbol.asyncIterator](), pieces: Uint8Array[] = [];
  let text = "";
  // The first two signs tell "[[1, 2], …", a sequence, from "[{", a list of records.
  for (const decoder = new TextDecoder(); !/^[^[]|^\[\s*\S/.test(text);) {
    const { done, value } = await stream.next();
    if (done) break;
    pieces.push(value);
    text = (text + decoder.decode(value, { stream: true })).replace(/^\ufeff?\s+/, "");
  }
  async function* all() {
    yield* pieces.splice(0);
    for (let next = await stream.next(); !next.done; next = await stream.next()) yield next.value;
  }
  const isLine = text.startsWith("{") || /^\[\s*[^\s{]/.test(text), isList = /^\[\s*\{/.test(text);
  return {
    input: { ...input, stream: all },
    ...isLine ? { format: "jsonl" } : isList ? { format: "json" } : isText ? { format: "text" } : {},
  };
}
