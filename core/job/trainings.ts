/** The trainings of a job, one after the other: for each seed, each division of the data. */

import { fasterDevice, type Measured, type modelOptions } from "./faster_device.ts";
import { flagFor, type Job, UsageError } from "./options.ts";
import type { DataSource } from "./read_data.ts";
import { sampleData } from "./sample_data.ts";
import { checkFits, type Start } from "./started_job.ts";
import { isPairConfig, type NamedTraining } from "./training_data.ts";
import { makeModel, trainerOptions, type TrainingRun } from "./training_run.ts";

/** What a job's trainings need besides the job. */
export interface TrainingsOptions {
  /** Trainings, with seeds that follow one another. */
  readonly seeds: number;
  readonly source: DataSource;
  /** The checkpoint that is resumed, read for a device. */
  readonly resume: (device: Job["device"]) => Promise<TrainingRun["resumed"]>;
  /** The model whose weights each training starts from. */
  readonly start?: Start;
  /** Whether tokens that it does not know are taken as unknown ones. */
  readonly unknownTokens?: boolean;
  /** What the job is, given the checkpoint. */
  readonly jobOf: (resumed: TrainingRun["resumed"]) => Job;
  readonly device: Job["device"];
  /** Is told what --device auto measures. */
  readonly onMeasured: (measured: Measured) => void;
}

/** The trainings of a job. */
export async function* trainingsOf(
  { seeds, source, resume, start, unknownTokens, jobOf, device: asked, onMeasured }: TrainingsOptions,
): AsyncGenerator<TrainingRun> {
  // What a checkpoint asks for is in it: it is read on the CPU first, and again where the GPU is faster.
  let resumed = await resume(asked.device === "auto" ? { ...asked, device: "wasm" } : asked);
  const first = jobOf(resumed), { own } = first;
  if (own) refuseChoosingOnTest(first);
  let device = first.device;
  const stored = resumed?.loaded.preprocessing ?? start?.file.preprocessing ?? undefined;
  const files = own &&
    new (await import("./file_data.ts")).FileData(source, stored, { onlyKnownTokens: start && !unknownTokens });
  for (let i = 0; i < seeds; i++) {
    const seed = first.everything.seed + i, seeded = { ...first, everything: { seed } };
    const divided: AsyncIterable<NamedTraining> | Iterable<NamedTraining> = own
      ? files!.trainings({ ...seeded, own })
      : [{ data: sampleData(seeded) }];
    for await (const { name, data } of divided) {
      if (start) checkFits(start, data);
      if (device.device === "auto") {
        const make = (options: ReturnType<typeof modelOptions>) => makeModel(first, data, options, start);
        const measured = await fasterDevice(device, make, trainerOptions(seeded, data), {
          train: data.train,
          batchSize: first.training.batchSize!,
        });
        onMeasured(measured);
        device = measured.device;
        if (resumed && device.device !== "wasm") {
          resumed.loaded.model.dispose();
          resumed = await resume(device);
        }
      }
      const names = [...seeds > 1 ? [`seed ${seed}`] : [], ...name ? [name] : []];
      yield {
        job: { ...seeded, device },
        data,
        stored: { data: first.data, ...own && { own }, ...isPairConfig(data.config) && { model: first.model }, seed },
        resumed,
        start,
        name: names.join(", ") || undefined,
      };
    }
  }
}

/**
 * What chooses among epochs must have data to choose by, and those are not the test data.
 *
 * @throws {UsageError} If they are.
 */
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
    `--${flag} would select epochs on the test set and inflate its scores: add --validation-split 0.2`,
  );
}
