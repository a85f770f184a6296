/** The files, folders and standard input that data are read from. */

import type { Format, Input } from "../data/readers/record.ts";
import { nameOf } from "./files.ts";
import { type Arguments, UsageError } from "./options.ts";
import { readError } from "./read_checkpoint.ts";

/** What errors call standard input. */
const STDIN = "standard input";

/** Whether an input comes but once. */
export function isOnce({ name }: Input): boolean {
  return name === STDIN;
}

/** A path as it is spoken of. */
export function pathName(path: string): string {
  return path === "-" ? STDIN : path;
}

/** A path without its folders. */
export function dataName(path: string): string {
  return pathName(nameOf(path.replace(/(?<=.)\/+$/, "")));
}

/**
 * What `--data` and its like name, in order; a folder is the files in it, by name. Text in a folder is one class per file.
 *
 * @param isText Whether the files hold text.
 */
export async function inputsOf(paths: readonly string[], isText: boolean, args: Arguments): Promise<Input[]> {
  const inputs: Input[] = [];
  for (const path of paths) {
    if (path === "-") {
      inputs.push({ name: STDIN, stream: () => Deno.stdin.readable });
      continue;
    }
    const { isDirectory } = await guarded(path, args, () => Deno.stat(path));
    if (!isDirectory) {
      inputs.push(fileInput(path, args));
      continue;
    }
    const names = await guarded(path, args, async () => {
      const files: string[] = [];
      for await (const { name, isFile } of Deno.readDir(path)) if (isFile && !name.startsWith(".")) files.push(name);
      return files.sort();
    });
    if (!names.length) throw new Error(`cannot read data "${path}": there is no file in this folder`);
    if (!isText && names.every((name) => name.endsWith(".txt"))) {
      throw new UsageError(
        `--data "${path}" is a folder of .txt files: --tokens characters or --tokens words if it is text, one file per ` +
          "class; else --format ucr",
      );
    }
    for (const name of names) {
      const label = isText ? { label: name.replace(/\.[^.]*$/, "") } : {};
      inputs.push({ ...fileInput(`${path.replace(/\/+$/, "")}/${name}`, args), ...label });
    }
  }
  return inputs;
}

/** A file. */
export function fileInput(path: string, args: Arguments): Input {
  return { name: path, stream: () => guarded(path, args, async () => (await Deno.open(path)).readable) };
}

/**
 * The format of what comes in, where its name does not tell: JSON Lines, a sequence or an object a line, unless the first
 * bytes are of something else. They are looked at, and still come.
 *
 * @param isText Whether it is text, a line each, if it is no JSON.
 */
export async function piped(input: Input, isText: boolean): Promise<{ input: Input; format?: Format }> {
  if (input.name !== STDIN) return { input };
  const stream = (await input.stream())[Symbol.asyncIterator](), pieces: Uint8Array[] = [];
  let text = "";
  // The first two signs tell "[[1, 2], …", a sequence, from "[{", a list of records.
  for (const decoder = new TextDecoder(); text.length < 2;) {
    const { done, value } = await stream.next();
    if (done) break;
    pieces.push(value);
    text = (text + decoder.decode(value, { stream: true })).replace(/^\ufeff?\s+/, "");
  }
  async function* all() {
    yield* pieces.splice(0);
    for (let next = await stream.next(); !next.done; next = await stream.next()) yield next.value;
  }
  const isJson = text.startsWith("{") || /^\[\s*[^\s{]/.test(text);
  return {
    input: { ...input, stream: all },
    ...isJson ? { format: "jsonl" } : isText && !text.startsWith("[") ? { format: "text" } : {},
  };
}

async function guarded<T>(path: string, args: Arguments, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw readError("data", path, error, args);
  }
}
