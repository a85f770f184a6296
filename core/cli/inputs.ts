/** The files, folders and standard input that data are read from. */

import type { Input } from "../data/readers/record.ts";
import { type Arguments, UsageError } from "./options.ts";
import { readError } from "./read_checkpoint.ts";

/** What errors call standard input. */
export const STDIN = "standard input";

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

function fileInput(path: string, args: Arguments): Input {
  return { name: path, stream: () => guarded(path, args, async () => (await Deno.open(path)).readable) };
}

async function guarded<T>(path: string, args: Arguments, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw readError("data", path, error, args);
  }
}
