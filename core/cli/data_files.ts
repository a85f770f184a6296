/** The files, folders and standard input that data are read from. */

import { UsageError } from "../job/options.ts";
import { classesByName, className, dataAmong, inputsInZip, isProse, type LeftOut } from "../job/inputs.ts";
import { type DataSource, type Input, STDIN } from "../job/read_data.ts";
import { sampleInput } from "../job/sample_pairs.ts";
import { nameOf } from "../job/words.ts";
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

/** Endings of the files of data sets, those of most use first: the archive has each part in several. */
const PART = /^(.*[^a-z0-9])?(train|test)\.(ts|arff|tsv|txt|csv|jsonl?|npz)(?:\.gz)?$/i;
const ENDINGS = ["ts", "arff", "tsv", "txt", "csv", "jsonl", "json", "npz"];

/** The files of folders that hold X_TRAIN and X_TEST, as the UCR/UEA archive's do; said once for each folder. */
function folderParts(args: Arguments): DataSource["parts"] {
  const known = new Map<string, Promise<Record<"train" | "test", string> | undefined>>();
  return (path) => {
    const found = known.get(path) ?? (path === "-" ? Promise.resolve(undefined) : partsIn(path, args));
    known.set(path, found);
    return found;
  };
}

async function partsIn(path: string, args: Arguments): Promise<Record<"train" | "test", string> | undefined> {
  const folder = path.replace(/(?<=.)\/+$/, "");
  const { isDirectory } = await guarded(path, args, () => Deno.stat(path));
  if (!isDirectory) return undefined;
  const names = (await guarded(path, args, () => Array.fromAsync(Deno.readDir(path))))
    .map(({ name }) => name).filter((name) => !name.startsWith(".") && !isProse(name)).sort();
  const files = names.flatMap((name) => {
    const [, stem = "", part, ending] = PART.exec(name) ?? [];
    return part === undefined ? [] : [{ name, stem, part: part.toLowerCase(), ending: ending!.toLowerCase() }];
  });
  const pairs = files.filter(({ part }) => part === "train").flatMap((train) => {
    const test = files.find(({ stem, part, ending }) =>
      part === "test" && stem === train.stem && ending === train.ending
    );
    return test ? [{ train, test, stem: train.stem }] : [];
  });
  // The archive has a file for each dimension beside that of all.
  const whole = pairs.filter(({ stem }) => !/Dimension\d+_$/i.test(stem));
  const own = whole.filter(({ stem }) => stem.slice(0, -1) === nameOf(folder));
  const stems = new Set((own.length ? own : whole).map(({ stem }) => stem));
  if (!stems.size) return undefined;
  // Names without a stem may be those of classes.
  if (stems.has("") && names.length !== 2) return undefined;
  if (stems.size > 1) {
    const all = [...stems].map((stem) => stem.slice(0, -1)).join(", ");
    throw new UsageError(`"${path}" holds several data sets, ${all}: name the files to train on, and --test-data FILE`);
  }
  const [stem] = stems, rank = ({ train }: typeof pairs[number]) => ENDINGS.indexOf(train.ending);
  const { train, test } = whole.filter((pair) => pair.stem === stem).sort((a, b) => rank(a) - rank(b))[0]!;
  const others = names.filter((name) => name !== train.name && name !== test.name);
  const rest = others.length ? `; left out: ${others.join(", ")}` : "";
  if (args.command !== "predict") {
    remark(`note: ${path}: ${train.name} is there to train on, ${test.name} to test on${rest}`);
  }
  return { train: `${folder}/${train.name}`, test: `${folder}/${test.name}` };
}

/** The files in a folder, by name. */
async function filesIn(path: string): Promise<string[]> {
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
  return dataAmong(path, found, note);
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
    const { isDirectory } = await guarded(path, args, () => Deno.stat(path));
    if (!isDirectory && /\.zip$/i.test(path)) {
      const bytes = await guarded(path, args, () => Deno.readFile(path));
      inputs.push(...await inputsInZip(path, bytes, isText, note));
      continue;
    }
    if (!isDirectory) {
      inputs.push(fileInput(path, args));
      continue;
    }
    const names = await guarded(path, args, () => filesIn(path));
    if (!names.length) throw new Error(`cannot read data "${path}": there is no file in this folder`);
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
