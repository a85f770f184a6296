/** What a page shows of a training: the same from the command line and elsewhere. */

import type { Fleet } from "../fleet/fleet.ts";
import { bareName } from "./read_data.ts";
import type { EpochRecord } from "../train/history.ts";
import type { Training } from "../train/training.ts";
import type { RunReport } from "../report/run_report.ts";
import type { Job } from "./options.ts";
import { configOfModel } from "./step_network.ts";
import { isPairConfig, type PictureOptions, type Scores, type TrainingData } from "./training_data.ts";
import type { Model } from "./training_run.ts";
import { processesWords } from "./processes.ts";
import { words } from "./words.ts";

/** A training at its end, or on its way there. */
export interface Finished {
  readonly job: Job;
  readonly data: TrainingData;
  readonly training: Training;
  readonly scores?: Scores;
  readonly model: Model;
  /** The processes that trained, and what they exchanged. */
  readonly together?: { readonly fleet: Fleet; readonly exchange: string };
}

/** The epochs with what says something of such data. */
export function shownHistory(data: TrainingData, { state: { history } }: Training): readonly EpochRecord[] {
  if (data.hasAccuracy) return history;
  return history.map((record) => ({ ...record, trainAccuracy: 0, validationAccuracy: undefined }));
}

/** All that there is to show of a training. */
export async function reportOf(
  { job, data, training, scores, model, together }: Finished,
  options: Pick<PictureOptions, "chosen"> = {},
): Promise<RunReport> {
  // What the data's own kind takes of the scores: there are more.
  const known = scores &&
    { outputs: scores.outputs, metrics: scores.metrics, ...scores.answers && { answers: scores.answers } };
  return {
    title: job.own ? job.own.files.data.map(bareName).join(", ") : "The sample job",
    // The title names the files.
    subtitle: data.description[0]?.replace(/^.*?: (?=\d)/, ""),
    settings: settings(job, data, training, { model, together }),
    history: shownHistory(data, training),
    validationName: data.watchedName,
    bestEpoch: training.best?.epoch,
    scoredEpoch: training.options.restoreBest ? training.best?.epoch : training.state.epoch,
    ...await data.own?.pictures(model, { ...known, ...options }),
    metrics: scores?.metrics,
    unit: scores?.unit,
  };
}

/** Names and values for the page's table: all that may have been chosen, one by one. */
function settings(
  job: Job,
  { config, loss, own }: TrainingData,
  training: Training,
  { model, together }: Pick<Finished, "model" | "together">,
): [string, string][] {
  const { batchSize, epochs } = training.options, { name: optimizer, ...rest } = training.trainer.options.optimizer;
  const rows = {
    task: own?.preprocessing.task,
    trainingData: job.own?.files.data.map(bareName),
    testData: job.own?.files.testData?.map(bareName),
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
    ...together && together.fleet.size > 1 && {
      processes: processesWords(together.fleet, model.device.description),
      exchange: together.exchange,
    },
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
