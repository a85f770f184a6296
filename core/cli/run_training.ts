/** One training: what is shown of it, its checkpoints, its end. */

import { amend, errorCode } from "../errors.ts";
import { finalScores, type Scores } from "../job/scores.ts";
import { createRunModel, createTraining, type TrainingRun } from "../job/training_run.ts";
import type { Training } from "../train/training.ts";
import { CheckpointWriter } from "./checkpoint_writer.ts";
import { allowingCommand } from "./files.ts";
import { lineOf } from "./hints.ts";
import type { Arguments } from "./options.ts";
import { Pictures } from "./pictures.ts";
import { remarkArithmetic } from "./read_checkpoint.ts";
import { scoreLines } from "./score_lines.ts";
import { remark, type Terminal } from "./terminal.ts";
import { epochLine, headLines, progressLine, summary, timeLeft } from "./training_lines.ts";
import { wideHint } from "./wide.ts";

/** The exit codes of a program that was stopped by Ctrl-C, or told to end. */
const INTERRUPTED = { SIGINT: 130, SIGTERM: 143 } as const;

/** The results of a training. */
export interface Outcome {
  /** The program's exit code, if it ended with this training. */
  readonly code: number;
  /** On the held-out data; absent where there are none, or where it was stopped. */
  readonly scores?: Scores;
  /** The same of the model that it started from. */
  readonly before?: Scores;
}

/** Trains, prints every epoch, keeps checkpoints, a log and pictures. */
export async function runTraining(run: TrainingRun, args: Arguments, terminal: Terminal): Promise<Outcome> {
  const { job, data, stored, resumed, start: started, name } = run;
  using model = await createRunModel(run);
  if (resumed) remarkArithmetic(resumed.loaded, resumed.name);
  const abort = new AbortController();
  let told = false, hinted = name !== undefined;
  using writer = await CheckpointWriter.open(args, stored, terminal, data.own?.preprocessing);
  using pictures = await Pictures.open(args, terminal);
  const start = performance.now(), seconds = () => (performance.now() - start) / 1000;
  const training: Training = createTraining(run, model, {
    signal: abort.signal,
    onBatch(progress) {
      const { withoutThreads } = model.device;
      if (withoutThreads && !told) remark(`note: running on one thread: ${withoutThreads}`);
      told ||= withoutThreads !== undefined;
      if (args.quiet) return;
      terminal.progress(() => progressLine(progress, { first, epochs, seconds: seconds() }));
      if (hinted) return;
      const hint = wideHint(model, seconds(), timeLeft(progress, { first, epochs, seconds: seconds() }));
      if (hint) {
        terminal.clear();
        remark(hint);
        hinted = true;
      }
    },
    async onEpoch(report) {
      const last = report.epoch === epochs || training.finished;
      if (!args.quiet || last && !name && !data.own?.test) {
        terminal.line(epochLine(report, epochs, data));
      }
      await writer.epoch(report, training, data.hasAccuracy);
      await pictures.epoch(report, data);
    },
  });
  writer.watch(training);
  const { epochs, batchSize } = training.options;
  const { epoch: done, batch } = training.state, first = done + batch / Math.ceil(data.train.shape[0]! / batchSize);
  if (training.finished) {
    terminal.line(
      training.stoppedEarly
        ? `nothing to do: "${args.resume}" has stopped early after ${done} epochs`
        : `nothing to do: "${args.resume}" has all ${done} epochs; to train longer: --epochs ${done + 100}`,
    );
    return { code: 0 };
  }
  if (!args.quiet) { for (const text of headLines(job, data, training, started)) terminal.line(text); }
  const score = () => training.options.fastDevRun ? undefined : finalScores(model, data, batchSize, name !== undefined);
  const before = started && await score();

  let stoppedBy: keyof typeof INTERRUPTED = "SIGINT", hint: ReturnType<typeof setTimeout> | undefined;
  const listeners = SIGNALS.map((signal) =>
    [signal, () => {
      if (abort.signal.aborted) Deno.exit(INTERRUPTED[signal]);
      stoppedBy = signal;
      hint = setTimeout(() => {
        terminal.clear();
        remark("stopping after the current batch; Ctrl-C again stops at once and loses it");
      }, 1000);
      abort.abort("interrupted");
    }] as const
  );
  for (const [signal, listener] of listeners) Deno.addSignalListener(signal, listener);
  try {
    await training.run();
    const scores = await score();
    if (!args.quiet && !name) terminal.line(summary(training, writer, data, seconds()));
    if (!name) { for (const text of scores ? scoreLines(scores, !args.quiet, before) : []) terminal.line(text); }
    await pictures.finish({ job, data, training, scores, model });
    return { code: writer.complete ? 0 : 1, scores, before };
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) throw error;
    terminal.clear();
    if (error === abort.signal.reason) {
      await stop(training, writer, args);
      return { code: INTERRUPTED[stoppedBy] };
    }
    await writer.flush();
    const last = writer.target?.last;
    const kept = last && writer.kept.has(last)
      ? `; the checkpoint of epoch ${writer.keptEpoch} is kept in "${last}"`
      : "";
    const isChanged = errorCode(error) === "data-changed";
    const change = {
      action: `resume from "${args.resume}"`,
      advice: `train FILE --from ${args.resume} starts from its weights`,
    };
    throw new Error(lineOf(isChanged ? amend(error, change) : error) + kept);
  } finally {
    clearTimeout(hint);
    for (const [signal, listener] of listeners) Deno.removeSignalListener(signal, listener);
  }
}

const SIGNALS: (keyof typeof INTERRUPTED)[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];

/** After Ctrl-C: saves a checkpoint, and says how to resume. */
async function stop(training: Training, writer: CheckpointWriter, args: Arguments): Promise<void> {
  const { epoch, batch } = training.state, last = writer.target?.last;
  const place = `stopped after epoch ${epoch}${batch ? ` and ${batch} batches of the next` : ""}`;
  if (last && await writer.save(last, training)) {
    const resume = args.resume === last ? [] : ["--resume", last];
    remark(`${place}; to resume: ${allowingCommand({ ...args, resume: last }, [...args.words, ...resume])}`);
  } else remark(`${place}; it is not saved${last ? "" : ": --checkpoint DIR keeps what --resume needs"}`);
}
