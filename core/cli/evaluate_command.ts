/** `evaluate CHECKPOINT [FILE …]`: scores on the data that it was trained and tested on, or on other data. */

import { evaluateFiles, evaluateSample, evaluateStored, type Evaluation } from "../job/evaluations.ts";
import { refuseForeign } from "../job/stored_job.ts";
import { plural } from "../job/words.ts";
import { dataFiles } from "./data_files.ts";
import type { Arguments } from "./options.ts";
import { openCheckpoint } from "./read_checkpoint.ts";
import { checkRequired } from "./check_required.ts";
import { inWords, scoreLines } from "./score_lines.ts";
import { remark, Terminal, writeDocument } from "./terminal.ts";
import { lossAndAccuracy } from "./training_lines.ts";

/** Runs the command. Returns the exit code. */
export async function evaluateCommand(args: Arguments): Promise<number> {
  const { loaded, rest } = await openCheckpoint(args),
    { given, quiet, require } = args,
    isJson = args.output === "json";
  const terminal = new Terminal({ apart: isJson }), wantsParts = !quiet || isJson;
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
    let scores: Record<string, number> = {}, count = 0, train: object | undefined;
    for await (const part of evaluateSample(loaded, given, wantsParts)) {
      const { name, width, loss, accuracy } = part;
      terminal.line(`${name.padEnd(width)}  ${lossAndAccuracy(loss, accuracy)}  of ${part.count} sequences`);
      if (name === "train") train = { count: part.count, loss, ...accuracy !== undefined && { accuracy } };
      else [scores, count] = [{ loss, ...accuracy !== undefined && { accuracy } }, part.count];
    }
    if (isJson) await writeDocument({ count, scores, ...train && { train } });
    return checkRequired(require, scores);
  }
  const source = dataFiles(args);
  const all = paths
    ? [await evaluateFiles(loaded, paths, given, source)]
    : await Array.fromAsync(evaluateStored(loaded, given, source, wantsParts));
  for (const found of all) show(found, quiet, terminal);
  const documents = all.map(({ train, scores: { count, values, metrics }, remark, isChosenByTest }) => ({
    count,
    scores: values,
    metrics,
    ...train && { train },
    ...remark && { notes: remark.split("; ") },
    ...isChosenByTest && { isChosenByTest },
  }));
  if (isJson) await writeDocument(documents.length === 1 ? documents[0]! : { parts: documents });
  return all.reduce((code, { scores }) => Math.max(code, checkRequired(require, scores.values)), 0);
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
