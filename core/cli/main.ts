import { errorCode } from "../errors.ts";
import { OLDEST_DENO, VERSION } from "../version.ts";
import { helpText } from "./help.ts";
import { lineOf } from "./hints.ts";
import { UsageError } from "../job/options.ts";
import { type Arguments, parseCommandLine } from "./options.ts";
import { remark } from "./terminal.ts";

/**
 * Runs the command line.
 *
 * @returns The exit code: 0, 1 for bad data or a failure, 2 for bad usage, 130 after Ctrl-C.
 */
export async function main(args: readonly string[]): Promise<number> {
  try {
    checkDeno(Deno.version.deno);
    const parsed = parseCommandLine(args);
    if (parsed.help) console.log(helpText());
    else if (parsed.version) console.log(`grutto ${VERSION}`);
    else if (parsed.wide) return await (await import("./wide.ts")).runWide(parsed);
    else return await run(parsed);
    return 0;
  } catch (error) {
    // Whoever reads our output has closed it, as `head` does: there is nobody to tell.
    if (error instanceof Deno.errors.BrokenPipe) return 0;
    // One line, whatever a file holds that an error quotes.
    remark(`error: ${lineOf(error).replace(/\p{Cc}+/gu, " ")}`);
    return error instanceof UsageError || errorCode(error) === "option-unsuited" ? 2 : 1;
  }
}

/**
 * Refuses a Deno that is too old, which would fail somewhere in the middle. The library has no such check: it runs wherever
 * what it uses is there.
 *
 * @throws {UsageError} With what to do.
 */
export function checkDeno(version: string): void {
  const [major, minor] = version.split(".").map(Number) as [number, number];
  const [oldMajor, oldMinor] = OLDEST_DENO.split(".").map(Number) as [number, number];
  if (major > oldMajor || major === oldMajor && minor >= oldMinor) return;
  throw new UsageError(`Grutto needs Deno ${oldMajor}.${oldMinor} or later, this is ${version}: run "deno upgrade"`);
}

async function run(args: Arguments): Promise<number> {
  switch (args.command) {
    case "train":
      return await (await import("./train_command.ts")).trainCommand(args);
    case "evaluate":
      return await (await import("./evaluate_command.ts")).evaluateCommand(args);
    case "predict":
      return await (await import("./predict_command.ts")).predictCommand(args);
    case "convert":
      return await (await import("./convert_command.ts")).convertCommand(args);
    case "help":
      console.log(helpText(args.operands[0]));
      return 0;
    case "info":
      return await (await import("./info_command.ts")).infoCommand(args);
  }
}
