/** `evaluate CHECKPOINT [FILE …]`: scores on the data that it was trained and tested on, or on other data. */

import { evaluateFiles, evaluateSample, evaluateStored, type Evaluation } from "../job/evaluations.ts";
import { refuseForeign } from "../job/stored_job.ts";
import { plural } from "../job/words.ts";
import { dataFiles } from "./data_files.ts";
import type { Arguments } from "./options.ts";
import { openCheckpoint } from "./read_checkpoint.ts";
import { inWords, scoreLines } from "./score_lines.ts";
import { remark, Terminal } from "./terminal.ts";
import { lossAndAccuracy } from "./training_lines.ts";

/** Runs the command. Returns the exit code. */
export async function evaluateCommand(args: Arguments): Promise<number> {
  const { loaded, rest } = await openCheckpoint(args), { given, quiet } = args, terminal = new Terminal();
  using _model = loaded.model;
  const named = [...given.files.data ?? [], ...rest], paths = named.length ? named : undefined;
  refuseForeign(loaded, given, paths !== undefined);
  if (!loaded.preprocessing) {
    if (paths) {
      throw new Error(
        `cannot evaluate: the checkpoint does not say how files are read, so "${paths[0]}" cannot be: save it with ` +
          "preprocessing, or call evaluate in a program",
      );
    }
    for await (const { name, width, count, loss, accuracy } of evaluateSample(loaded, given, !quiet)) {
      terminal.line(`${name.padEnd(width)}  ${lossAndAccuracy(loss, accuracy)}  of ${count} sequences`);
    }
    return 0;
  }
  const source = dataFiles(args);
  if (paths) show(await evaluateFiles(loaded, paths, given, source), quiet, terminal);
  else {
    for await (const found of evaluateStored(loaded, given, source, !quiet)) show(found, quiet, terminal);
  }
  return 0;
}

function show({ train, scores, remark: said, isChosenByTest }: Evaluation, quiet: boolean, terminal: Terminal): void {
  if (said) remark(`note: ${said}`);
  if (train) {
    const { count, ...values } = train;
    terminal.line(`train of ${plural(count, "sequence")}: ${inWords({ ...values })}`);
  }
  for (const line of scoreLines(scores, { full: !quiet })) terminal.line(line);
  if (isChosenByTest) {
    remark(
      "note: this epoch was the best on these very data, so the scores are too good: --validation-split avoids that",
    );
  }
}
