/** The library names its options, the command line its flags: one for the other in errors about data. */

import { flagOf, JOB_OPTIONS } from "./options.ts";

/** Options whose names are others on the command line. */
const OTHERS: Record<string, string> = { labelColumns: "--label-column", labelsFrom: "--label-file" };

const FLAGS: Record<string, string> = {
  ...Object.fromEntries(
    Object.values(JOB_OPTIONS).flatMap((table) => Object.entries(table))
      .filter(([name]) => /[A-Z]/.test(name)).map(([name, spec]) => [name, `--${flagOf(name, spec)}`]),
  ),
  ...OTHERS,
};

/** An error's text with flags in place of options, where it is about data. */
export function inFlags(text: string): string {
  if (!/^cannot (read|prepare data)\b/i.test(text)) return text;
  return text
    .replace(/ \(max(Line)?Bytes\)$/, "")
    .replace("(header: true or false)", "(--header or --no-header)")
    .replace(
      /choose missing "drop", "zero", "mean" or "last" to go on$/,
      "--missing drop leaves it out, --missing zero, mean or last fills it in",
    )
    .replaceAll(/(?<![\w."/-])[a-z]+[A-Z]\w*(?![\w"/-])/g, (name) => Object.hasOwn(FLAGS, name) ? FLAGS[name]! : name);
}
