/** Folders and archives that hold training data and test data in files of their own. */

import { isHidden, isProse } from "./inputs.ts";
import { UsageError } from "./options.ts";
import { nameOf } from "./words.ts";

/** The paths of the files to train and to test on. */
export type Parts = Readonly<Record<"train" | "test", string>>;

/** Endings of the files of data sets, those of most use first: the archive has each part in several. */
const PART = /^(.*[^a-z0-9])?(train|test)\.(ts|arff|tsv|txt|csv|jsonl?|npz)(?:\.gz)?$/i;
const ENDINGS = ["ts", "arff", "tsv", "txt", "csv", "jsonl", "json", "npz"];

/** Whether a path is that of a zip archive. */
export function isZip(path: string): boolean {
  return /\.zip$/i.test(path);
}

/** The archive and the file in it that a path leads to, if it leads into one. */
export function memberOf(path: string): { readonly archive: string; readonly name: string } | undefined {
  const [, archive, name] = path.match(/^(.+?\.zip)\/(.+)$/i) ?? [];
  return archive === undefined ? undefined : { archive, name: name! };
}

/**
 * The file to train on and that to test on among those of a folder or an archive; undefined where they are no such parts.
 *
 * @param note Is told which they are, and what is left out.
 * @throws {UsageError} If they are of several data sets.
 */
export function partsAmong(path: string, all: readonly string[], note: (text: string) => void): Parts | undefined {
  const folder = path.replace(/(?<=.)\/+$/, ""), names = all.filter((name) => !isHidden(name) && !isProse(name)).sort();
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
  const own = whole.filter(({ stem }) => nameOf(stem).slice(0, -1) === nameOf(folder).replace(/\.zip$/i, ""));
  const stems = new Set((own.length ? own : whole).map(({ stem }) => stem));
  if (!stems.size) return undefined;
  // Names without a stem may be those of classes.
  if ([...stems].some((stem) => nameOf(stem) === "") && names.length !== 2) return undefined;
  if (stems.size > 1) {
    const all = [...stems].map((stem) => stem.slice(0, -1)).join(", ");
    throw new UsageError(`"${path}" holds several data sets, ${all}: name the files to train on, and --test-data FILE`);
  }
  const [stem] = stems, rank = ({ train }: typeof pairs[number]) => ENDINGS.indexOf(train.ending);
  const { train, test } = whole.filter((pair) => pair.stem === stem).sort((a, b) => rank(a) - rank(b))[0]!;
  const others = names.filter((name) => name !== train.name && name !== test.name);
  const rest = others.length ? `; left out: ${others.join(", ")}` : "";
  note(`${path}: ${train.name} is there to train on, ${test.name} to test on${rest}`);
  return { train: `${folder}/${train.name}`, test: `${folder}/${test.name}` };
}

/** The same for the files in a zip archive. */
export async function partsInZip(
  path: string,
  bytes: Uint8Array,
  note: (text: string) => void,
): Promise<Parts | undefined> {
  const { zippedFiles } = await import("./archives.ts");
  return partsAmong(path, [...zippedFiles(path, bytes).keys()], note);
}
