/** Data of one's own: from the files that a command line names to datasets, and from outputs back to what they say. */

import { type Preprocessing, restorePreprocessing } from "../data/preprocessing.ts";
import { forecasts } from "./forecast_data.ts";
import type { JobData, OwnJob } from "./job_data.ts";
import { Loads } from "./load_data.ts";
import { type Arguments, flagFor, type Job, UsageError } from "./options.ts";
import { sequences } from "./sequence_data.ts";

/** The data of a job, kept for its next seed. */
export class OwnJobs {
  readonly #args: Arguments;
  readonly #restored?: Preprocessing;
  #loads?: Loads;

  /** @param stored The preprocessing of a checkpoint. Default: it is fitted on the training part. */
  constructor(args: Arguments, stored?: object) {
    this.#args = args;
    this.#restored = stored && restorePreprocessing(stored);
  }

  /** What a job trains on: once, or once for each fold. */
  async *of(job: OwnJob): AsyncGenerator<{ name?: string; data: JobData }> {
    const own = job.own!, loads = this.#loads ??= new Loads(own, this.#args);
    if (this.#args.command === "train") refuseChoosingOnTest(job as Job);
    if (own.forecast.targetColumns || own.preparation.task === "forecast") yield* forecasts(job, loads, this.#restored);
    else yield* sequences(job, loads, this.#restored);
  }
}

/** What chooses among epochs must have data to choose by, and those are not the test data. */
function refuseChoosingOnTest({ own, earlyStopping, training, schedule }: Job): void {
  const { validationSplit, testSplit } = own!.division;
  if (validationSplit !== undefined || testSplit === 0) return;
  const flag = earlyStopping
    ? flagFor("earlyStopping", Object.keys(earlyStopping)[0]!)
    : training.restoreBest
    ? flagFor("training", "restoreBest")
    : schedule?.name === "plateau"
    ? "schedule plateau"
    : undefined;
  if (flag === undefined) return;
  throw new UsageError(
    `--${flag} would go by the test data, whose scores are then too good: --validation-split 0.2 holds back others for it`,
  );
}
