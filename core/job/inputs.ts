/** Which files are data, and which classes their names say: the same in folders, in archives and on pages. */

import { iterate } from "../engine.ts";
import { type Input, isOnce } from "./read_data.ts";
import { nameOf } from "./words.ts";

/** Files beside data that are about them. */
const PROSE =
  /^(readme|license|licence|copying|notice|changelog|changes|authors|contributing|citation|credits|acknowledge?ments?|notes?|about|description|disclaimer|metadata|manifest|sha\d+sums?|md5sums?|checksums?)(\.\w+)?$|\.(md|rst|html?|pdf)$/i;

/** Whether a file is about data, by its name. */
export function isProse(path: string): boolean {
  return PROSE.test(nameOf(path));
}

/** Why something in a folder is no data. */
export type LeftOut = "hidden" | "folder" | "link that leads nowhere" | "about the data";

/**
 * The names of data among what is in a folder or an archive, in order.
 *
 * @param note Is told what is left out, once.
 */
export function dataAmong(
  path: string,
  found: readonly { readonly name: string; readonly why?: LeftOut }[],
  note: (text: string) => void,
): string[] {
  const reasonFor = ({ name, why }: (typeof found)[number]) =>
    name.startsWith(".") || name.startsWith("__MACOSX/") || name.includes("/.")
      ? "hidden"
      : why ?? (isProse(name) ? "about the data" : undefined);
  const leftOut = found.flatMap((one) => reasonFor(one) ? [`${one.name} (${reasonFor(one)})`] : []).sort();
  if (leftOut.length) {
    const rest = leftOut.length > 5 ? ", …" : "", are = leftOut.length === 1 ? "is" : "are";
    const named = leftOut.slice(0, 5).join(", ");
    note(`${path}: ${leftOut.length} left out that ${are} no data: ${named}${rest}`);
  }
  return found.filter((one) => !reasonFor(one)).map(({ name }) => name).sort();
}

/**
 * The data in a zip archive.
 *
 * @param isText Whether the files hold text: each is then a class.
 * @param note Is told what is left out, once.
 */
export async function inputsInZip(
  path: string,
  bytes: Uint8Array,
  isText: boolean,
  note: (text: string) => void,
): Promise<Input[]> {
  const { zippedFiles } = await import("./archives.ts"), files = zippedFiles(path, bytes);
  const names = dataAmong(path, [...files.keys()].map((name) => ({ name })), note);
  if (!names.length) throw new Error(`cannot read data "${path}": there is no file in this archive`);
  return names.map((name) => ({ ...files.get(name)!, ...isText && { label: className(files.get(name)!.name) } }));
}

/** The class that a file's name says. */
export function className(path: string): string {
  return nameOf(path).replace(/\.[^.]*$/, "");
}

/**
 * Several files of text: where no line of any has a label, each is a class.
 *
 * @param note Is told that they are.
 */
export async function classesByName(inputs: Input[], note: (text: string) => void): Promise<Input[]> {
  if (inputs.length < 2 || inputs.some((input) => input.label !== undefined || isOnce(input))) return inputs;
  for (const input of inputs) if (!await hasNoTabs(input)) return inputs;
  const labelled = inputs.map((input) => ({ ...input, label: className(input.name) }));
  note(
    `the lines have no labels, so that each file is a class: ${labelled.map(({ label }) => label).join(", ")}`,
  );
  return labelled;
}

/** Bytes of a file that are looked at, for whether its lines have labels. */
const LOOKED_AT = 1 << 16;

/** Whether no line at the start of a text file has a tab, and so no label. */
async function hasNoTabs({ stream }: Input): Promise<boolean> {
  const pieces = iterate(await stream());
  let count = 0;
  for await (const piece of { [Symbol.asyncIterator]: () => pieces }) {
    const bytes = piece.subarray(0, LOOKED_AT - count);
    // gzip hides what is in it.
    if (bytes.includes(9) || count === 0 && bytes[0] === 0x1f) return false;
    count += bytes.length;
    if (count === LOOKED_AT) break;
  }
  return count > 0;
}
