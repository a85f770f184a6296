/** `predict CHECKPOINT --input FILE`: predictions for a stream of sequences. */

import { UsageError } from "../job/options.ts";
import { batchPredictions, predictions } from "../job/predictions.ts";
import { refuseForeign, storedSample } from "../job/stored_job.ts";
import { dataFiles } from "./data_files.ts";
import { lineOf } from "./hints.ts";
import type { Arguments } from "./options.ts";
import { PredictionWriter } from "./prediction_writer.ts";
import { openCheckpoint } from "./read_checkpoint.ts";
import { remark } from "./terminal.ts";

/** Runs the command. Returns the exit code. */
export async function predictCommand(args: Arguments): Promise<number> {
  const { given, input, command, fromRow } = args,
    { loaded, rest } = await openCheckpoint(args),
    { data, everything } = given;
  using model = loaded.model;
  const paths = [...input === undefined ? [] : [input], ...given.files.data ?? [], ...rest];
  refuseForeign(loaded, given, paths.length > 0);
  if (fromRow !== undefined && !paths.length) throw new UsageError("--from-row needs --input FILE");
  if (loaded.preprocessing && !paths.length) {
    throw new UsageError("predict needs --input FILE, or - for standard input");
  }
  if (!loaded.preprocessing && paths.length && Object.keys({ ...data, ...everything }).length) {
    throw new UsageError("predict takes --input, or --size, --steps and --seed of data to make: not both");
  }
  const onNote = (note: string) => args.quiet || remark(`note: ${note}`), source = dataFiles(args);
  const said = paths.length
    ? predictions({ loaded, paths, given, source, onNote, fromRow })
    : batchPredictions(model, storedSample(loaded, given, command).held);
  if (!loaded.preprocessing && model.loss === undefined) {
    onNote("the file does not say what the outputs mean, so these are scores (logits); --loss NAME says it");
  }
  const writer = new PredictionWriter(args);
  let code = 0;
  for await (const answer of said) {
    if (!("error" in answer)) {
      await writer.write(answer);
      continue;
    }
    code = 1;
    const line = lineOf(answer.error, command);
    await writer.writeError(answer, line);
    remark(`error: ${line}`);
  }
  return code;
}
