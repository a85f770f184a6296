/** The command that trains the same in a terminal. */

import { shellWord } from "../../core/display.ts";
import { FLAGS, type GivenOptions } from "../../core/job/options.ts";

/** Where the command's checkpoints go. */
export const FOLDER = "checkpoints";

/**
 * The words behind `train` that give these options: `parseCommandLine` reads them back.
 *
 * @param sample The sample that the data are, in place of files.
 */
export function wordsOf(given: GivenOptions, sample?: string): string[] {
  const { data = [], testData: _ } = given.files, words: string[] = [];
  for (const { group, name, flag, spec } of FLAGS) {
    const value = (given[group] as Readonly<Record<string, unknown>>)[name];
    if (value === undefined || name === "data") continue;
    if (spec.type === "boolean") words.push(`--${value ? "" : "no-"}${flag}`);
    else {
      const text = Array.isArray(value) ? value.join(",") : String(value);
      if (text.startsWith("-")) words.push(`--${flag}=${text}`);
      else words.push(`--${flag}`, text);
    }
  }
  words.push("--checkpoint", FOLDER);
  if (sample !== undefined) return ["train", "--sample", sample, ...words];
  // A name that begins like a flag is one of a file behind "--" alone.
  return data.some((name) => name.startsWith("-")) ? ["train", ...words, "--", ...data] : ["train", ...data, ...words];
}

/** The command, with the permissions that it needs and no more. */
export function commandOf(given: GivenOptions, sample?: string): string {
  const { data = [], testData = [] } = given.files;
  const files = sample === undefined ? [...data, ...testData] : [];
  // Deno's lists of paths know no commas: the folder stands for such a file.
  const read = files.some((name) => name.includes(",")) ? ["."] : [...files, FOLDER];
  const flags = [`--allow-read=${read.join(",")}`, `--allow-write=${FOLDER}`];
  return ["deno run", ...[...flags, "mod.ts", ...wordsOf(given, sample)].map(shellWord)].join(" ");
}

/** A column as an option names it: by its name, unless that would not come back as it is. */
export function columnWord(name: string, place: number): string {
  return name === "" || name.includes(",") || name !== name.trim() || /^-?\d+$/.test(name) ? String(place) : name;
}
