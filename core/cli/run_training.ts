/** One training: what is shown of it, its checkpoints, its end. */

import { shellWord } from "../display.ts";
import { amend, errorCode } from "../errors.ts";
import { ALONE } from "../fleet/fleet.ts";
import { agreeOnTest, exchangesFrom, idleNotes } from "../job/processes.ts";
import { learningNotes } from "../job/learning.ts";
import { finalScores, type Scores } from "../job/scores.ts";
import { configOfModel } from "../job/step_network.ts";
import { createRunModel, createTraining, type TrainingRun } from "../job/training_run.ts";
import { isPairConfig, sequencesIn } from "../job/training_data.ts";
import { gatherFindings, isOfAll, ofAll, STOPPED_ELSEWHERE } from "../train/together.ts";
import type { Training } from "../train/training.ts";
import { CheckpointWriter } from "./checkpoint_writer.ts";
import { allowingCommand, resumingWords, systemWords } from "./files.ts";
import { lineOf } from "./hints.ts";
import type { Arguments } from "./options.ts";
import { Pictures } from "./pictures.ts";
import { readResumed, remarkArithmetic } from "./read_checkpoint.ts";
import { type BestScores, scoreLines } from "./score_lines.ts";
import { stdout } from "./stream.ts";
import { INTERRUPTED, remark, Terminal, TWICE } from "./terminal.ts";
import { epochLine, headLines, progressLine, summary, timeLeft } from "./training_lines.ts";
import { wideHint } from "./wide.ts";

/** The results of a training. */
export interface Outcome {
  /** The program's exit code, if it ended with this training. */
  readonly code: number;
  /** On the held-out data; absent where there are none, or where it was stopped. */
  readonly scores?: Scores;
  /** The same of the model that it started from. */
  readonly before?: Scores;
  /** What a program may want to know of a training that came to its end. */
  readonly document?: object;
}

/** Trains, prints every epoch, keeps checkpoints, a log and pictures. */
export async function runTraining(run: TrainingRun, args: Arguments, terminal: Terminal): Promise<Outcome> {
  const { job, data, stored, resumed, start: started, name, fleet = ALONE } = run;
  using model = await createRunModel(run);
  if (resumed) remarkArithmetic(resumed.loaded, resumed.name);
  const abort = new AbortController();
  let told = false, hinted = name !== undefined, unheard: true | undefined;
  using writer = await CheckpointWriter.open(args, {
    job: stored,
    preprocessing: data.own?.preprocessing,
    hasAccuracy: data.hasAccuracy,
    state: resumed?.loaded.training?.state,
  }, terminal);
  using pictures = await Pictures.open(args, terminal, stored);
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
      const hint = wideHint(
        { device: model.device, config: isPairConfig(data.config) ? job.model : configOfModel(model) },
        seconds(),
        timeLeft(progress, { first, epochs, seconds: seconds() }),
        fleet.size === 1,
      );
      if (hint) {
        terminal.clear();
        remark(hint);
        hinted = true;
      }
    },
    async onEpoch(report) {
      const last = report.epoch === epochs || training.finished;
      if (!args.quiet || last && !name && !data.own?.test) {
        terminal.news(epochLine(report, epochs, data));
      }
      await writer.epoch(report, training);
      await pictures.epoch(report, data);
      if (stdout.failure) unheard ??= withoutOutput(stdout.failure, writer, args);
    },
  });
  writer.watch(training);
  if (leavesFiles(writer, args)) Terminal.patience = PATIENCE;
  const { epochs, batchSize } = training.options;
  const { epoch: done, batch } = training.state, first = done + batch / Math.ceil(sequencesIn(data.train) / batchSize);
  if (training.finished) {
    terminal.line(
      training.stoppedEarly
        ? `nothing to do: "${args.resume}" has stopped early after ${done} epochs`
        : `nothing to do: "${args.resume}" has all ${done} epochs; to train longer: --epochs ${done + 100}`,
    );
    return { code: 0 };
  }
  // All processes come here, or say why not, before the first of them computes.
  if (fleet.size > 1) {
    await training.prepare();
    await agreeOnTest(fleet, data);
  }
  const exchanges = exchangesFrom(fleet);
  if (!args.quiet) {
    for (const text of headLines(job, data, training, { start: started, fleet })) {
      terminal.line(text);
    }
  }
  if (fleet.size > 1) { for (const note of idleNotes(training, fleet)) remark(`note: ${note}`); }
  for (const warning of data.warnings ?? []) remark(`note: ${warning}`);
  const always = name !== undefined || args.output === "json" || args.require.length > 0;
  const score = () => training.options.fastDevRun ? undefined : finalScores(model, data, batchSize, always);
  const before = started && await score();

  let stoppedBy: keyof typeof INTERRUPTED = "SIGINT", stoppedAt = 0, hint: ReturnType<typeof setTimeout> | undefined;
  const outlives = isHangupIgnored();
  const listeners = SIGNALS.map((signal) =>
    [signal, () => {
      if (signal === "SIGHUP" && outlives) return;
      if (abort.signal.aborted) {
        // Whatever closes a terminal or ends a job may send its signal twice: only a person means it.
        if (signal === "SIGINT" && performance.now() - stoppedAt > TWICE) Deno.exit(INTERRUPTED[signal]);
        return;
      }
      stoppedBy = signal;
      stoppedAt = performance.now();
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
    const exchange = exchanges();
    if (!args.quiet && fleet.size > 1) terminal.line(`exchange   ${exchange}`);
    const best = scores && !name ? await bestScores(training, writer, run, args) : undefined;
    const full = !args.quiet;
    if (!name) { for (const text of scores ? scoreLines(scores, { full, before, best }) : []) terminal.line(text); }
    const notes: string[] = [];
    if (data.own && !name && !training.options.fastDevRun) {
      const { history } = training.state, ran = !training.stoppedEarly;
      const outputs = isPairConfig(data.config) ? 0 : configOfModel(model).outputSize;
      notes.push(...learningNotes(data, { history, scores, outputs, ran }));
    }
    for (const note of full ? notes : []) terminal.line(`note: ${note}`);
    await pictures.finish({ job, data, training, scores, model, together: { fleet, exchange } });
    const document = documentOf(
      { training, scores, before, best, notes: [...data.warnings ?? [], ...notes] },
      writer,
      job,
    );
    return { code: writer.complete ? 0 : 1, scores, before, document };
  } catch (error) {
    if (stdout.failedWith(error)) throw error;
    terminal.clear();
    if (error === abort.signal.reason || error === STOPPED_ELSEWHERE) {
      await stop(training, writer, args);
      const own = error === STOPPED_ELSEWHERE ? 0 : INTERRUPTED[stoppedBy];
      return { code: Math.max(...gatherFindings(fleet, own)) };
    }
    await writer.flush();
    const last = writer.target?.last;
    const kept = last && writer.kept.has(last)
      ? `; the checkpoint of epoch ${writer.keptEpoch} is kept in "${last}"`
      : "";
    const isChanged = errorCode(error) === "data-changed";
    const change = {
      action: `resume from "${args.resume}"`,
      advice: `train FILE --from ${shellWord(args.resume ?? "FILE")} starts from its weights`,
    };
    const told = new Error(lineOf(isChanged ? amend(error, change) : error) + kept);
    throw isOfAll(error) ? ofAll(told) : told;
  } finally {
    clearTimeout(hint);
    for (const [signal, listener] of listeners) Deno.removeSignalListener(signal, listener);
  }
}

/** A training that came to its end, as a program may want to know it. */
function documentOf(
  { training: { state, best, options }, scores, before, best: other, notes }: {
    readonly training: Training;
    readonly scores?: Scores;
    readonly before?: Scores;
    readonly best?: BestScores;
    readonly notes: readonly string[];
  },
  { target, kept }: CheckpointWriter,
  { everything: { seed } }: TrainingRun["job"],
): object {
  const files = target && Object.fromEntries(
    Object.entries({ last: target.last, best: target.best }).filter(([, path]) => kept.has(path)),
  );
  return {
    seed,
    epochs: state.epoch,
    // What the scores are of.
    epoch: options.restoreBest ? best!.epoch : state.epoch,
    best: { ...best, ...other?.scores && { scores: other.scores.values } },
    ...scores && { count: scores.count, scores: scores.values, metrics: scores.metrics },
    ...before && { before: before.values },
    ...files && { checkpoints: files },
    ...notes.length && { notes },
  };
}

/** What the best epoch scores, where the model is not of it: by its file, if there is one. */
async function bestScores(
  { best, state, options }: Training,
  { target, kept }: CheckpointWriter,
  { job, data }: TrainingRun,
  args: Arguments,
): Promise<BestScores | undefined> {
  if (best!.epoch === state.epoch || options.restoreBest) return undefined;
  const epochs = { epoch: state.epoch, best: best!.epoch };
  if (!target || !kept.has(target.best)) return epochs;
  const { model } = await readResumed(target.best, args, job.device, { modelOnly: true });
  using _model = model;
  return { ...epochs, file: target.best, scores: await finalScores(model, data, options.batchSize, true) };
}

/** The signals that stop a training, which then is saved. */
const SIGNALS: readonly (keyof typeof INTERRUPTED)[] = Deno.build.os === "windows"
  ? ["SIGINT"]
  : ["SIGINT", "SIGTERM", "SIGHUP"];

/** Whether this program was told to outlive its terminal, by nohup: known on Linux, with all permissions. */
function isHangupIgnored(): boolean {
  const isGranted = (name: "ffi" | "read") => Deno.permissions.querySync({ name }).state === "granted";
  if (Deno.build.os !== "linux" || !isGranted("ffi") || !isGranted("read")) return false;
  try {
    const [, ignored] = /^SigIgn:\s*([0-9a-f]+)$/m.exec(Deno.readTextFileSync("/proc/self/status")) ?? [];
    return Number(`0x${ignored}`) % 2 === 1;
  } catch {
    return false;
  }
}

/** Whether a training leaves more behind than what it prints. */
function leavesFiles({ target }: CheckpointWriter, { logFile, report, tensorboard }: Arguments): boolean {
  return target !== undefined || [logFile, report, tensorboard].some((path) => path !== undefined);
}

/** Milliseconds that a training with files waits at its end for somebody to read more of what it prints. */
const PATIENCE = 5000;

/**
 * What becomes of a training whose standard output fails: it continues if it leaves something else behind.
 *
 * @throws What it failed for, if not.
 */
function withoutOutput(failure: Error, writer: CheckpointWriter, args: Arguments): true {
  if (!leavesFiles(writer, args)) throw failure;
  const why = stdout.isGone ? "nobody reads it any more" : systemWords(failure);
  remark(`warning: standard output cannot be written: ${why}; training continues`);
  return true;
}

/** After a signal: saves a checkpoint, and says how to resume. */
async function stop(training: Training, writer: CheckpointWriter, args: Arguments): Promise<void> {
  const { epoch, batch } = training.state, last = writer.target?.last;
  const place = `stopped after epoch ${epoch}${batch ? ` and ${batch} batches of the next` : ""}`;
  if (last && await writer.save(last, training)) {
    const words = resumingWords(args, last);
    remark(`${place}; to resume: ${allowingCommand({ ...args, resume: last, from: undefined }, words)}`);
  } else remark(`${place}; it is not saved${last ? "" : ": --checkpoint DIR keeps what --resume needs"}`);
}
