/** Model files of any format: this program's checkpoints and the files of others. */

import type { ModelFile } from "../exchange/config.ts";
import { modelFile, readModel } from "../exchange/model_file.ts";
import { type StoredJob, storedJob } from "../job/stored_job.ts";
import { words } from "../job/words.ts";
import type { Start } from "../job/started_job.ts";
import type { Arguments } from "./options.ts";
import { ModelBytes } from "./read_checkpoint.ts";

/** A model file of any format, and what only a checkpoint of this program holds. */
export interface OpenedModel extends ModelFile {
  readonly format: string;
  readonly job?: StoredJob;
  readonly seed?: number;
  readonly lines: readonly string[];
}

/** The model that a training starts from. */
export async function startFrom(path: string, args: Arguments): Promise<Start> {
  const { job: stored, format: _f, lines: _l, seed: _s, ...file } = await openModel(path, args);
  return { name: path, file, stored };
}

/** Reads a model file, a checkpoint too. */
export async function openModel(path: string, args: Arguments): Promise<OpenedModel> {
  using bytes = await ModelBytes.open("model", path, args);
  const { format } = bytes;
  if (format === "onnx") {
    throw new Error(
      `cannot read model "${path}": .onnx is written, not read, but for info; .safetensors, .pt and .json are both`,
    );
  }
  if (format) return { ...readModel(await bytes.whole(), path), format, lines: [] };
  const loaded = await bytes.checkpoint({}, { modelOnly: true });
  using model = loaded.model;
  const { trainer, steps, training, preprocessing } = loaded, job = storedJob(loaded);
  const file = await modelFile(model, { preprocessing: preprocessing ?? undefined });
  const best = training?.state.history.reduce(
    (a, b) => (b.validationLoss ?? b.trainLoss) < (a.validationLoss ?? a.trainLoss) ? b : a,
    training.state.history[0]!,
  );
  return {
    ...file,
    format: "checkpoint",
    job,
    seed: model.seed,
    lines: [
      ...job?.own
        ? [`trained on ${job.own.files.data.join(", ")}, seed ${job.seed}`]
        : job
        ? [`trained on the sample job's data: ${words(job.data)}, seed ${job.seed}`]
        : [],
      ...training
        ? [`${training.state.epoch} of ${training.options.epochs} epochs${best ? `, the best ${best.epoch}` : ""}`]
        : [],
      ...trainer ? [`optimizer ${words(trainer.options.optimizer)}, ${steps} steps`] : [],
    ],
  };
}
