/** `info FILE`: what a model file holds. */

import { describeModel } from "../exchange/model_file.ts";
import { UsageError } from "../job/options.ts";
import { openModel } from "./model_files.ts";
import type { Arguments } from "./options.ts";
import { Terminal } from "./terminal.ts";

/** Runs `info`. Returns the exit code. */
export async function infoCommand(args: Arguments): Promise<number> {
  const [path = args.checkpoint, ...more] = args.operands;
  if (path === undefined || more.length) {
    throw new UsageError("info takes one file, such as: info checkpoints/best.json");
  }
  const opened = await openModel(path, args), terminal = new Terminal();
  terminal.line(`${path}: ${opened.format}`);
  for (const text of [...opened.lines, ...describeModel(opened)]) terminal.line(text);
  return 0;
}
