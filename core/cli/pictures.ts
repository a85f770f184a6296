/** Pictures of a training: TensorBoard's events, curves in the terminal, a page. */

import { type Finished, reportOf, shownHistory } from "../job/run_report.ts";
import type { TrainingData } from "../job/training_data.ts";
import { htmlReport } from "../report/html_report.ts";
import { plotHistory } from "../report/plot_history.ts";
import { EventWriter } from "../report/tensorboard.ts";
import type { EpochReport } from "../train/history.ts";
import type { StoredJob } from "../job/stored_job.ts";
import { writeAll } from "../train/durable.ts";
import { checkpointTarget, folderOf, mayWrite, reason, type Target } from "./files.ts";
import type { Arguments } from "./options.ts";
import { columns, remark, type Terminal } from "./terminal.ts";
import { checkPlace, inputsOf, refuseInput, replaceFile } from "./written_files.ts";

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
  async finish({ job, data, training, scores, model, together }: Finished): Promise<void> {
    const history = shownHistory(data, training);
    if (this.#args.plot) {
      const color = Deno.stdout.isTerminal() && !Deno.noColor;
      for (
        const line of plotHistory(history, { columns: columns(), color, validationName: data.watchedName }).split("\n")
      ) {
        this.#terminal.styled(line);
      }
    }
    if (this.#report === undefined) return;
    const report = await reportOf({ job, data, training, scores, model, together });
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
