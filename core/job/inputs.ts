/** Which files are data, and which classes their names say: the same in folders, in archives and on pages. */

import { iterate } from "../engine.ts";
import { isOnce } from "./piped.ts";
import type { Input } from "./read_data.ts";
import { nameOf } from "./words.ts";

/** Files beside data that are about them. */
const PROSE =
  /^(readme|license|licence|copying|notice|changelog|changes|authors|contributing|citation|credits|acknowledge?ments?|attributions?|notes?|todo|about|description|disclaimer|metadata|manifest|requirements|sources|sha\d+sums?|md5sums?|checksums?)(\.\w+)?$|\.(md|rst|html?|pdf)$/i;

/** Files that systems leave in folders. */
const SYSTEM = /^(thumbs\.db|desktop\.ini)$/i;

/** The ending of most of some files, if there is one: that of class files. */
function usualEnding(names: readonly string[]): string | undefined {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(endingOf(name), (counts.get(endingOf(name)) ?? 0) + 1);
  return [...counts].find(([, count]) => count > 1 && 2 * count > names.length)?.[0];
}

const endingOf = (name: string) => nameOf(name).replace(/\.gz$/i, "").match(/(?<=.)\.[^.]*$/)?.[0].toLowerCase() ?? "";

/** Whether a file is about data, by its name. */
export function isProse(path: string): boolean {
  return PROSE.test(nameOf(path));
}

/** Whether a file in a folder or an archive is none that anybody put there. */
export function isHidden(name: string): boolean {
  return name.startsWith(".") || name.startsWith("__MACOSX/") || name.includes("/.") || SYSTEM.test(nameOf(name));
}

/** Why something in a folder is no data. */
export type LeftOut = "hidden" | "folder" | "link that leads nowhere" | "about the data" | "another ending";

/**
 * The names of data among what is in a folder or an archive, in order.
 *
 * @param isText Whether each is a class: then all have the same ending.
 * @param note Is told what is left out, once.
 */
export function dataAmong(
  path: string,
  found: readonly { readonly name: string; readonly why?: LeftOut }[],
  isText: boolean,
  note: (text: string) => void,
): string[] {
  const by = ({ name, why }: (typeof found)[number]): LeftOut | undefined =>
    isHidden(name) ? "hidden" : why ?? (isProse(name) ? "about the data" : undefined);
  const rest = isText ? found.filter((one) => !by(one)).map(({ name }) => name) : [], usual = usualEnding(rest);
  const reasonFor = (one: (typeof found)[number]) =>
    by(one) ?? (usual !== undefined && endingOf(one.name) !== usual ? "another ending" : undefined);
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
 * @param member The one file that is meant. Default: all.
 */
export async function inputsInZip(
  path: string,
  bytes: Uint8Array,
  isText: boolean,
  note: (text: string) => void,
  member?: string,
): Promise<Input[]> {
  const { zippedFiles } = await import("./archives.ts"), files = zippedFiles(path, bytes);
  if (member !== undefined) {
    const file = files.get(member);
    if (!file) throw new Error(`cannot read data "${path}/${member}": there is no such file in this archive`);
    return [file];
  }
  const names = dataAmong(path, [...files.keys()].map((name) => ({ name })), isText, note);
  if (!names.length) throw new Error(`cannot read data "${path}": there is no file in this archive`);
  const folders = [...new Set(names.map((name) => name.slice(0, -nameOf(name).length)))];
  if (isText && folders.length > 1) throw onlyFolders(path, folders.map((name) => name.replace(/\/$/, "")), isText);
  return names.map((name) => ({ ...files.get(name)!, ...isText && { label: className(files.get(name)!.name) } }));
}

/** What is wrong with data in folders within others: whether a folder or a file is a class is not guessed. */
export function onlyFolders(path: string, folders: readonly string[], isText: boolean): Error {
  const some = folders.slice(0, 5).map((name) => name || ".").join(", ") + (folders.length > 5 ? ", …" : "");
  const advice = isText
    ? "a class is a file, a text a line: join the texts of each folder in one"
    : "name the one to read";
  return new Error(`cannot read data "${path}": it holds folders, ${some}: ${advice}`);
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
  // A pattern of the shell takes them along.
  const about = inputs.filter(({ name }) => isProse(name)), data = inputs.filter(({ name }) => !isProse(name));
  if (about.length && data.length > 1) {
    note(`left out, as no class: ${about.map(({ name }) => name).join(", ")} (about the data)`);
    return await classesByName(data, note);
  }
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
