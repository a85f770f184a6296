/** Pictures of a training: TensorBoard's events, curves in the terminal, a page. */

import type { Job } from "../job/options.ts";
import type { Scores } from "../job/scores.ts";
import { configOfModel } from "../job/step_network.ts";
import { isPairConfig, type TrainingData } from "../job/training_data.ts";
import type { Model } from "../job/training_run.ts";
import { words } from "../job/words.ts";
import { htmlReport } from "../report/html_report.ts";
import { plotHistory } from "../report/plot_history.ts";
import type { RunReport } from "../report/run_report.ts";
import { EventWriter } from "../report/tensorboard.ts";
import type { EpochReport } from "../train/history.ts";
import type { Training } from "../train/training.ts";
import type { StoredJob } from "../job/stored_job.ts";
import { writeAll } from "../train/durable.ts";
import { checkpointTarget, folderOf, mayWrite, reason, type Target } from "./files.ts";
import { dataName } from "./data_files.ts";
import type { Arguments } from "./options.ts";
import { columns, remark, type Terminal } from "./terminal.ts";
import { checkPlace, inputsOf, refuseInput, replaceFile } from "./written_files.ts";

/** A training at its end. */
export interface Finished {
  readonly job: Job;
  readonly data: TrainingData;
  readonly training: Training;
  readonly scores?: Scores;
  readonly model: Model;
}

/** The pictures that a command line asks for. What cannot be written is said before anything is trained. */
export class Pictures implements Disposable {
  readonly #args: Arguments;
  readonly #terminal: Terminal;
  readonly #report?: string;
  readonly #events?: { readonly path: string; readonly file: Deno.FsFile; writer?: EventWriter };
  #failed = false;

  private constructor(
    args: Arguments,
    terminal: Terminal,
    report?: string,
    events?: { path: string; file: Deno.FsFile },
  ) {
    this.#args = args;
    this.#terminal = terminal;
    this.#report = report;
    this.#events = events;
  }

  /** Makes sure that everything can be written. */
  static async open(args: Arguments, terminal: Terminal, job: StoredJob): Promise<Pictures> {
    return new Pictures(args, terminal, await openReport(args, job), await openEvents(args));
  }

  /** Writes the results of an epoch. */
  async epoch(report: EpochReport, { hasAccuracy, watchedName }: TrainingData): Promise<void> {
    const events = this.#events;
    if (!events || this.#failed) return;
    const now = Date.now() / 1000;
    try {
      if (!events.writer) {
        events.writer = new EventWriter({ accuracy: hasAccuracy, validationName: watchedName });
        const resumed = this.#args.resume === undefined ? undefined : report.epoch;
        await writeAll(events.file, events.writer.header(now, resumed));
      }
      await writeAll(events.file, events.writer.epoch(report, now));
    } catch (error) {
      this.#failed = true;
      this.#terminal.clear();
      remark(`warning: cannot write events "${events.path}": ${await reason(error, events.path)}`);
    }
  }

  /** Draws what is drawn at the end. */
  async finish({ job, data, training, scores, model }: Finished): Promise<void> {
    const { history: all } = training.state;
    const history = data.hasAccuracy
      ? all
      : all.map((record) => ({ ...record, trainAccuracy: 0, validationAccuracy: undefined }));
    if (this.#args.plot) {
      const color = Deno.stdout.isTerminal() && !Deno.noColor;
      for (
        const line of plotHistory(history, { columns: columns(), color, validationName: data.watchedName }).split("\n")
      ) {
        this.#terminal.styled(line);
      }
    }
    if (this.#report === undefined) return;
    const report: RunReport = {
      title: job.own ? job.own.files.data.map(dataName).join(", ") : "The sample job",
      // The title names the files.
      subtitle: data.description[0]?.replace(/^.*?: (?=\d)/, ""),
      settings: settings(job, data, training, model),
      history,
      validationName: data.watchedName,
      bestEpoch: training.best?.epoch,
      scoredEpoch: training.options.restoreBest ? training.best?.epoch : training.state.epoch,
      ...await data.own?.pictures(model, scores),
      metrics: scores?.metrics,
      unit: scores?.unit,
    };
    try {
      const aside = await replaceFile(this.#report, htmlReport(report));
      if (aside !== undefined) remark(`note: the report of an earlier run is kept as "${aside}"`);
      if (!this.#args.quiet) this.#terminal.line(`report in ${this.#report}`);
    } catch (error) {
      throw new Error(`cannot write report "${this.#report}": ${await reason(error, this.#report)}`);
    }
  }

  [Symbol.dispose](): void {
    this.#events?.file.close();
  }
}

/** Names and values for the page's table: all that may have been chosen, one by one. */
function settings(job: Job, { config, loss, own }: TrainingData, training: Training, model: Model): [string, string][] {
  const { batchSize, epochs } = training.options, { name: optimizer, ...rest } = training.trainer.options.optimizer;
  const rows = {
    task: own?.preprocessing.task,
    trainingData: job.own?.files.data.map(dataName),
    testData: job.own?.files.testData?.map(dataName),
    ...own?.settings,
    ...config,
    outputSize: isPairConfig(config) ? undefined : configOfModel(model).outputSize,
    ...job.model,
    parameters: model.parameters.reduce((sum, { length }) => sum + length, 0),
    ...loss,
    optimizer,
    ...rest,
    schedule: job.schedule,
    epochs,
    batchSize,
    earlyStopping: job.earlyStopping,
    seed: job.everything.seed,
    device: model.device.description,
  };
  return Object.entries(rows).filter(([, value]) => value !== undefined && value !== null).map(([name, value]) => [
    name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`),
    Array.isArray(value)
      ? value.join(", ")
      : typeof value === "object"
      ? words(value!)
      : typeof value === "boolean"
      ? value ? "yes" : "no"
      : String(value),
  ]);
}

/** The page's place, if it is wanted and permitted. */
async function openReport(args: Arguments, job: StoredJob): Promise<string | undefined> {
  const { report, checkpoint, logFile } = args;
  if (report === undefined) return undefined;
  const { best, last } = checkpoint === undefined ? {} as Partial<Target> : checkpointTarget(checkpoint);
  if (!await mayWrite(folderOf(report), ["read", "write"], `the report "${report}"`, args)) return undefined;
  await refuseInput(
    "--report",
    report,
    [...inputsOf(args, job), best, last, logFile].filter((path) => path !== undefined),
  );
  try {
    await checkPlace(report);
  } catch (error) {
    throw new Error(`cannot write report "${report}": ${await reason(error, report)}`);
  }
  return report;
}

/** TensorBoard's file, if it is wanted and permitted. */
async function openEvents(args: Arguments): Promise<{ path: string; file: Deno.FsFile } | undefined> {
  const { tensorboard: folder } = args;
  if (folder === undefined || !await mayWrite(folder, ["write"], `TensorBoard's events`, args)) return undefined;
  const path = `${folder.replace(/(?<=.)\/+$/, "")}/${EventWriter.fileName(Date.now() / 1000, `grutto.${Deno.pid}`)}`;
  try {
    await Deno.mkdir(folder, { recursive: true });
    return { path, file: await Deno.open(path, { create: true, write: true, truncate: true }) };
  } catch (error) {
    throw new Error(`cannot write events "${path}": ${await reason(error, folderOf(path))}`);
  }
}
