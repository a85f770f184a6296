/** The command that trains the same in a terminal. */

import { shellWord } from "../../core/display.ts";
import { isSample } from "../../core/job/sample_pairs.ts";
import { FLAGS, type GivenOptions } from "../../core/job/options.ts";

/** Where the command's checkpoints go. */
export const FOLDER = "checkpoints";

/** The checkpoint of the last epoch, as the page hands it out. */
const LAST = "last.json";

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
  return allowed(given, wordsOf(given, sample), [FOLDER]);
}

/** The command that resumes a checkpoint which was taken from the page. */
export function resumeCommand(given: GivenOptions): string {
  return allowed(given, ["train", "--resume", LAST, "--checkpoint", FOLDER], [LAST, FOLDER]);
}

/** @param others Paths to read besides the data. */
function allowed({ files: { data = [], testData = [] } }: GivenOptions, words: string[], others: string[]): string {
  const files = [...data, ...testData].filter((path) => !isSample(path));
  // Deno's lists of paths know no commas, and a checkpoint's best epoch may be beside it: the folder stands for all in it.
  const read = others.includes(LAST) || files.some((name) => name.includes(",")) ? ["."] : [...files, ...others];
  const flags = [`--allow-read=${read.join(",")}`, `--allow-write=${FOLDER}`];
  return ["deno run", ...[...flags, "mod.ts", ...words].map(shellWord)].join(" ");
}

/** A column as an option names it: by its name, unless that would not come back as it is. */
export function columnWord(name: string, place: number): string {
  return name === "" || name.includes(",") || name !== name.trim() || /^-?\d+$/.test(name) ? String(place) : name;
}
