/**
 * The command lines of scripts: flags from a table, a page for --help, and one line for what cannot be understood.
 *
 * @module
 */

import { parseArgs } from "node:util";

/** A flag of a script. */
export interface Flag {
  readonly type: "string" | "boolean";
  readonly default?: string | boolean;
  /** What it means, in one line. */
  readonly about: string;
  /** What the page calls its value. Default: "N" where the default is a number, else "TEXT". */
  readonly takes?: string;
}

type Values<Flags extends Record<string, Flag>> = ReturnType<typeof parseArgs<{ options: Flags }>>["values"];

/**
 * Reads a script's command line. Prints a page and ends the program for --help; ends it with code 2 for a flag that there
 * is not, or operands too few or too many.
 *
 * @param command How the script is started: "deno task seeds".
 * @param about What it does, in a line or more.
 * @param operands Names of what stands behind the flags: "FOLDER", "[NAME]" where it may be left out, "[NAME …]" for any
 * number.
 */
export function commandLine<const Flags extends Record<string, Flag>>(
  command: string,
  about: string,
  flags: Flags,
  operands: readonly string[] = [],
  args: readonly string[] = Deno.args,
): { readonly values: Values<Flags>; readonly operands: string[] } {
  const all: Record<string, Flag> = { ...flags, help: { type: "boolean", about: "this page" } };
  const usage = `usage: ${[command, ...operands, ...Object.keys(flags).length ? ["[FLAGS]"] : []].join(" ")}`;
  let parsed;
  try {
    parsed = parseArgs({ args: [...args], options: all, allowPositionals: true });
  } catch (error) {
    fail(`${(error as Error).message.split(/\. To specify|\n/)[0]}: see --help`, 2);
  }
  const { values, positionals } = parsed;
  if (values.help) {
    const left = Object.entries(all).map(([name, { type, default: value, takes }]) =>
      type === "boolean" ? `--${name}` : `--${name} ${takes ?? (Number.isNaN(Number(value)) ? "TEXT" : "N")}`
    );
    const width = Math.max(...left.map((text) => text.length));
    const right = Object.values(all).map(({ about, default: value }) =>
      typeof value === "string" && value !== "" ? `${about} (default ${value})` : about
    );
    console.log([about, "", usage, "", ...left.map((text, i) => `  ${text.padEnd(width)}  ${right[i]}`)].join("\n"));
    Deno.exit(0);
  }
  const least = operands.filter((name) => !name.startsWith("[")).length;
  const most = operands.some((name) => name.includes("…")) ? Infinity : operands.length;
  if (positionals.length < least || positionals.length > most) fail(usage, 2);
  return { values: values as Values<Flags>, operands: positionals };
}

/** Ends the program with a message. */
export function fail(message: string, code = 1): never {
  console.error(`error: ${message}`);
  Deno.exit(code);
}

/** A flag's number. */
export function numberOption(name: string, text: string, least: number, whole = true): number {
  const value = Number(text);
  if (!(value >= least) || whole && !Number.isInteger(value)) {
    fail(`--${name} must be ${whole ? "an integer" : "a number"} from ${least}, got "${text}"`, 2);
  }
  return value;
}
