/** The files, folders and standard input that data are read from. */

import { UsageError } from "../job/options.ts";
import { isZip, memberOf, type Parts, partsAmong, partsInZip } from "../job/divided_files.ts";
import { classesByName, className, dataAmong, inputsInZip, type LeftOut, onlyFolders } from "../job/inputs.ts";
import { type DataSource, type Input, STDIN } from "../job/read_data.ts";
import { sampleInput } from "../job/sample_pairs.ts";
import type { Arguments } from "./options.ts";
import { readError } from "./read_checkpoint.ts";
import { remark } from "./terminal.ts";

const note = (text: string) => remark(`note: ${text}`);

/** What the paths of a command line lead to. */
export function dataFiles(args: Arguments): DataSource {
  return {
    action: args.command,
    given: args.given,
    parts: folderParts(args),
    inputs: (paths, isText) => inputsOf(paths, isText, args),
    file: (path) => fileInput(path, args),
  };
}

/** The files of folders and archives that hold X_TRAIN and X_TEST, as the UCR/UEA archive's do; said once for each. */
function folderParts(args: Arguments): DataSource["parts"] {
  const known = new Map<string, Promise<Parts | undefined>>();
  return (path) => {
    const found = known.get(path) ?? (path === "-" || sampleInput(path) ? none : partsIn(path, args));
    known.set(path, found);
    return found;
  };
}

const none = Promise.resolve(undefined);

async function partsIn(path: string, args: Arguments): Promise<Parts | undefined> {
  if (memberOf(path)) return undefined;
  const { isDirectory } = await guarded(path, args, () => Deno.stat(path));
  const about = args.command === "predict" ? () => {} : note;
  if (isDirectory) {
    const entries = await guarded(path, args, () => Array.fromAsync(Deno.readDir(path)));
    return partsAmong(path, entries.map(({ name }) => name), about);
  }
  return isZip(path) ? await partsInZip(path, await guarded(path, args, () => Deno.readFile(path)), about) : undefined;
}

/** The files in a folder, by name. */
async function filesIn(path: string, isText: boolean): Promise<string[]> {
  const found: { name: string; why?: LeftOut }[] = [];
  for await (const entry of Deno.readDir(path)) {
    const { name } = entry;
    // A link is what it leads to.
    const { isFile, isDirectory } = entry.isSymlink
      ? await Deno.stat(`${path}/${name}`).catch((error) => {
        if (error instanceof Deno.errors.NotFound) return { isFile: false, isDirectory: false };
        throw error;
      })
      : entry;
    const why = isDirectory ? "folder" : !isFile ? "link that leads nowhere" : undefined;
    found.push({ name, ...why && { why } });
  }
  const names = dataAmong(path, found, isText, note), folders = found.filter(({ why }) => why === "folder");
  if (names.length) return names;
  if (folders.length) throw onlyFolders(path, folders.map(({ name }) => name).sort(), isText);
  throw new Error(`cannot read data "${path}": there is no file in this folder`);
}

/**
 * What `--data` and its like name, in order; a folder or a `.zip` is the files in it, by name. Text in a folder is one class per file,
 * as it is in several files that have no labels.
 *
 * @param isText Whether the files hold text.
 */
async function inputsOf(paths: readonly string[], isText: boolean, args: Arguments): Promise<Input[]> {
  const inputs: Input[] = [];
  for (const path of paths) {
    if (path === "-") {
      inputs.push({ name: STDIN, stream: () => Deno.stdin.readable });
      continue;
    }
    const sample = sampleInput(path);
    if (sample) {
      inputs.push(sample);
      continue;
    }
    const member = memberOf(path), archive = member?.archive ?? path;
    const { isDirectory } = await guarded(path, args, () => Deno.stat(archive));
    if (!isDirectory && isZip(archive)) {
      const bytes = await guarded(path, args, () => Deno.readFile(archive));
      inputs.push(...await inputsInZip(archive, bytes, isText, note, member?.name));
      continue;
    }
    if (!isDirectory) {
      inputs.push(fileInput(path, args));
      continue;
    }
    const names = await guarded(path, args, () => filesIn(path, isText));
    const { format } = args.given.files;
    if (!isText && format === undefined && names.every((name) => name.endsWith(".txt"))) {
      throw new UsageError(
        `--data "${path}" is a folder of .txt files: --tokens characters or --tokens words if it is text, one file per ` +
          "class; else --format ucr",
      );
    }
    for (const name of names) {
      inputs.push({
        ...fileInput(`${path.replace(/\/+$/, "")}/${name}`, args),
        ...isText && { label: className(name) },
      });
    }
  }
  return isText && args.command !== "predict" ? await classesByName(inputs, note) : inputs;
}

/** A file. */
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
