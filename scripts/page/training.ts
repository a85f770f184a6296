/** A training in the page's worker: its epochs, its moving pictures, what is left of it. */

import { validTargets } from "../../core/data/metrics/rows.ts";
import type { Dataset } from "../../core/data/dataset.ts";
import { isPairs } from "../../core/data/pairs.ts";
import { modelFile, writeModel } from "../../core/exchange/model_file.ts";
import { reportOf } from "../../core/job/run_report.ts";
import { finalScores, type Scores } from "../../core/job/scores.ts";
import { sequencesIn } from "../../core/job/training_data.ts";
import { createRunModel, createTraining, type Model, type TrainingRun } from "../../core/job/training_run.ts";
import { htmlReport } from "../../core/report/html_report.ts";
import { pickExamples } from "../../core/report/pick_examples.ts";
import type { RunReport } from "../../core/report/run_report.ts";
import { spread } from "../../core/report/scale.ts";
import { parseCheckpoint } from "../../core/train/checkpoint/load.ts";
import { type Snapshot, snapshotChunks, takeSnapshot } from "../../core/train/checkpoint/snapshot.ts";
import type { BatchProgress } from "../../core/train/history.ts";
import type { Training } from "../../core/train/training.ts";
import { sampleExamples } from "./sample_examples.ts";

/** Sequences whose pictures move. */
const SHOWN = 4;

/** Milliseconds between pictures at least, and where calm is wanted; and how many times as long as they take. */
const PAUSE = 200, CALM = 2000, REST = 6;

/** Who hears of a training. */
export interface Listeners {
  progress(progress: BatchProgress, epochs: number): void;
  /** Something to see; `isLast`: all there is to see at the end. */
  pictures(report: RunReport, isLast: boolean): void;
}

/** How a training came to its end. */
export interface Ended {
  readonly report: RunReport;
  readonly scores?: Scores;
  readonly isStopped: boolean;
}

/** A training that runs, can be paused and stopped, and is then there as files. */
export class PageTraining implements Disposable {
  readonly run: TrainingRun;
  readonly model: Model;
  readonly training: Training;
  /** Whether fewer pictures are wanted. */
  isCalm = false;
  readonly #listeners: Listeners;
  readonly #abort: AbortController;
  readonly #chosen: readonly number[];
  #report?: RunReport;
  #best?: Snapshot;
  #last?: Snapshot;
  #next = 0;
  /** Lets it go on, while it is paused. */
  #goOn?: () => void;

  private constructor(run: TrainingRun, model: Model, listeners: Listeners) {
    this.run = run;
    this.model = model;
    this.#listeners = listeners;
    this.#abort = new AbortController();
    this.#chosen = chosenOf(run);
    this.training = createTraining(run, model, {
      signal: this.#abort.signal,
      onBatch: (progress) => listeners.progress(progress, this.training.options.epochs),
      onEpoch: async ({ epoch }, training) => {
        const isBest = training.best!.epoch === epoch;
        if (isBest || training.finished) {
          const snapshot = await this.#snapshot();
          if (isBest) this.#best = snapshot;
          if (training.finished) this.#last = snapshot;
        }
        if (!training.finished && performance.now() >= this.#next) await this.#draw();
      },
    });
  }

  /** A training that is ready to run. */
  static async of(run: TrainingRun, listeners: Listeners): Promise<PageTraining> {
    const model = await createRunModel(run);
    try {
      return new PageTraining(run, model, listeners);
    } catch (error) {
      model.dispose();
      throw error;
    }
  }

  /** Trains to the end, or until it is stopped. */
  async go(): Promise<Ended> {
    let isStopped = false;
    try {
      await this.training.run();
    } catch (error) {
      if (error !== this.#abort.signal.reason) throw error;
      isStopped = true;
      this.#last = await this.#snapshot();
    }
    const scores = await this.#scores(), report = await this.#reportOf(scores, {});
    this.#report = report;
    return { report, scores, isStopped };
  }

  /** Waits before the next update, until {@linkcode resume}. */
  pause(): void {
    this.training.atUpdate(() => new Promise<void>((resolve) => this.#goOn = resolve));
  }

  resume(): void {
    this.training.atUpdate(() => {});
    this.#goOn?.();
    this.#goOn = undefined;
  }

  stop(): void {
    this.#abort.abort("stopped");
    this.resume();
  }

  /** The files of what was trained: of which epoch, by the beginnings of their names. */
  get epochs(): { readonly best?: number; readonly last?: number } {
    return { best: this.#best?.generator.epoch, last: this.#last?.generator.epoch };
  }

  /** A file: "best.json", "last.onnx", "report.html". */
  async file(name: string): Promise<Blob> {
    if (name === "report.html") return new Blob([htmlReport(this.#report!)], { type: "text/html" });
    const [stem, ending] = name.split("."), snapshot = stem === "best" ? this.#best! : this.#last!;
    const checkpoint = await blobOf(snapshotChunks(snapshot));
    if (ending === "json") return checkpoint;
    const { model, preprocessing } = await parseCheckpoint(await checkpoint.text(), name, {
      simd: "plain",
      threads: 1,
    });
    using own = model;
    const file = await modelFile(own, { preprocessing: preprocessing ?? undefined });
    if (ending === "js" || ending === "html") {
      const { exportModule } = await import("../../core/exchange/module.ts");
      const files = await exportModule(file, { name: stem, format: ending });
      return new Blob([files[name]!], { type: ending === "js" ? "text/javascript" : "text/html" });
    }
    return new Blob([writeModel(file, ending as "onnx" | "pt" | "safetensors")]);
  }

  async #snapshot(): Promise<Snapshot> {
    const { data, stored } = this.run;
    const preprocessing = data.own?.preprocessing.toJSON() as Record<string, unknown> | undefined;
    return await takeSnapshot({ model: this.model, training: this.training, preprocessing, job: { ...stored } });
  }

  async #scores(): Promise<Scores | undefined> {
    const { batchSize, fastDevRun } = this.training.options;
    return fastDevRun ? undefined : await finalScores(this.model, this.run.data, batchSize, true);
  }

  async #reportOf(scores: Scores | undefined, options: { chosen?: readonly number[] }): Promise<RunReport> {
    const { run: { job, data }, model, training } = this;
    const report = await reportOf({ job, data, training, scores, model }, options);
    return data.own ? report : { ...report, ...await sampleExamples(model, data, options.chosen) };
  }

  /** Draws how far it has come; seldom enough that most of the time is left to the training. */
  async #draw(): Promise<void> {
    const start = performance.now(), { data } = this.run;
    // Answers to all sources take long: those that are shown are enough.
    const scores = isPairs(data.train) ? undefined : await this.#scores();
    this.#listeners.pictures(await this.#reportOf(scores, { chosen: this.#chosen }), false);
    const end = performance.now();
    this.#next = end + Math.max(this.isCalm ? CALM : PAUSE, REST * (end - start));
  }

  [Symbol.dispose](): void {
    this.model.dispose();
  }
}

/** Sequences whose pictures move: of each class in turn. */
function chosenOf({ data: { own, watched } }: TrainingRun): readonly number[] {
  const test = own ? own.test : watched;
  if (!test) return [];
  const count = sequencesIn(test);
  if (!isPairs(test) && (test as Dataset).targets instanceof Int32Array && !test.targetsPerStep) {
    const classes = validTargets(test);
    return pickExamples(classes, classes, { count: Math.min(SHOWN, count), wrong: 0 });
  }
  return spread(count, Math.min(SHOWN, count));
}

async function blobOf(chunks: AsyncIterable<Uint8Array<ArrayBuffer>>): Promise<Blob> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for await (const chunk of chunks) parts.push(chunk.slice());
  return new Blob(parts, { type: "application/json" });
}
