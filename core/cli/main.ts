import { errorCode } from "../errors.ts";
import { launcher } from "../fleet/launcher.ts";
import { OLDEST_DENO, VERSION } from "../version.ts";
import { systemWords } from "./files.ts";
import { helpText } from "./help.ts";
import { lineOf } from "./hints.ts";
import { UsageError } from "../job/options.ts";
import { parseCommandLine } from "./arguments.ts";
import type { Arguments, Command } from "./options.ts";
import { stderr, stdout } from "./stream.ts";
import { INTERRUPTED, remark, Terminal } from "./terminal.ts";

/**
 * Runs the command line.
 *
 * @returns The exit code: 0, 1 for bad data or a failure, 2 for bad usage; 130 after Ctrl-C, 143 after SIGTERM, 129 where
 * the terminal was closed, 141 where whoever reads the output has ended first.
 */
export async function main(args: readonly string[]): Promise<number> {
  let code, command: Command | undefined;
  try {
    checkDeno(Deno.version.deno);
    const parsed = parseCommandLine(args);
    command = parsed.command;
    code = await run(parsed);
  } catch (error) {
    code = error instanceof UsageError || errorCode(error) === "option-unsuited" ? 2 : 1;
    // What standard output failed for is said below.
    if (stdout.failedWith(error)) code = 0;
    // Of processes that were started together, the first says what all have to say.
    else if (!launcher()?.rank) remark(`error: ${lineOf(error, command)}`);
  }
  return await finish(code);
}

/** The exit code of a program whose reader has ended before it, as `head` does: that of SIGPIPE. */
const READER_GONE = 141;

/** Milliseconds that a program which was told to end spends on what it still has to say. */
const LAST_WORDS = 500;

/** Waits until all is written. Returns the exit code, which tells if it could not be. */
async function finish(code: number): Promise<number> {
  const { patience } = Terminal;
  const isToEnd = Object.values<number>(INTERRUPTED).includes(code), most = isToEnd ? LAST_WORDS : Infinity;
  // A training that has left its results on disk does not wait for ever for somebody to read of them.
  const isHeard = await (isToEnd ? stdout.flush(most) : stdout.finish(patience));
  if (!isHeard && !isToEnd) {
    remark("warning: nobody reads standard output: its last lines are lost");
    code ||= 1;
  }
  const { failure, isGone } = stdout;
  if (failure && !isGone && !code) {
    remark(`error: cannot write to standard output: ${systemWords(failure)}`);
  }
  await stderr.finish(Math.min(most, patience));
  return code || (isGone ? READER_GONE : failure ? 1 : 0);
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

/** Runs a command. Returns the exit code; what is wrong it throws. */
export async function run(args: Arguments): Promise<number> {
  const say = (text: string) => new Terminal().styled(text);
  const help = async (topic?: string) => {
    say(topic === undefined ? helpText() : (await import("./help_pages.ts")).helpOn(topic));
    return 0;
  };
  // Of no command it is the short page.
  if (args.help) return await help(args.words.includes(args.command) ? args.command : undefined);
  if (args.version) return say(`grutto ${VERSION}`), 0;
  if (args.wide) return await (await import("./wide.ts")).runWide(args);
  const started = args.command === "train" ? undefined : launcher();
  if (started?.rank === 0) {
    remark(`note: ${args.command} shares no work among processes: each of the ${started.size} does all of it`);
  }
  switch (args.command) {
    case "train":
      return await (await import("./train_command.ts")).trainCommand(args);
    case "evaluate":
      return await (await import("./evaluate_command.ts")).evaluateCommand(args);
    case "predict":
      return await (await import("./predict_command.ts")).predictCommand(args);
    case "convert":
      return await (await import("./convert_command.ts")).convertCommand(args);
    case "serve":
      return await (await import("./serve_command.ts")).serveCommand(args);
    case "help":
      return await help(args.operands[0]);
    case "info":
      return await (await import("./info_command.ts")).infoCommand(args);
  }
}
