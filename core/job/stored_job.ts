/** The job in a checkpoint: what its data were, and how it is resumed. */

import { shellWord } from "../display.ts";
import type { Dataset } from "../data/dataset.ts";
import { byKind, restoreAny } from "../data/preprocessing.ts";
import { sampleDataset } from "../data/sample.ts";
import type { FullConfig } from "../model/config.ts";
import { type LossSettings, quantilesOf } from "../model/losses.ts";
import type { NetworkModel } from "../model/model.ts";
import { resolveOptions } from "../options.ts";
import { seedWords } from "../random.ts";
import type { LoadedCheckpoint } from "../train/checkpoint/load.ts";
import { type DataJob, resolveDataJob } from "./data_options.ts";
import { settingsOf } from "./loss.ts";
import { flagFor, type GivenOptions, type Group, type Job, JOB_OPTIONS, resolveJob, UsageError } from "./options.ts";
import { configOfModel } from "./step_network.ts";
import { fitsSample, sampleData } from "./sample_data.ts";
import { refuseUnsuited, type Traits } from "./suits.ts";

/** The job as a checkpoint keeps it, beside model and training. */
export interface StoredJob {
  readonly data: Job["data"];
  /** How the user's own data are read. */
  readonly own?: Job["own"];
  /** Options of a model for pairs, whose network does not tell them. */
  readonly model?: Job["model"];
  readonly seed: number;
}

/** What of a checkpoint says how its data are read. */
type LoadedJob = Pick<LoadedCheckpoint, "model" | "job" | "preprocessing">;

/** The data that a checkpoint's model was trained on, if it was trained by a job. */
export function storedJob({ model, job, preprocessing }: LoadedJob): StoredJob | undefined {
  const { data, own, model: options, seed }: Partial<StoredJob> = job ?? {};
  try {
    seedWords(seed!);
    const made = resolveOptions<Job["data"]>("read job", JOB_OPTIONS.data, data!);
    if (preprocessing) {
      const known = options && resolveOptions<Job["model"]>("read job", JOB_OPTIONS.model, options);
      return { data: made, own: resolveDataJob("read job", own!), ...known && { model: known }, seed: seed! };
    }
    return data?.features === model.config.inputSize && fitsSample(model) ? { data: made, seed: seed! } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * How a checkpoint's data are read: as it says, but for what is given.
 *
 * @throws {UsageError} If an option is given that is not for such data.
 */
export function dataJob(loaded: LoadedJob, given: GivenOptions): DataJob {
  refuseUnsuited(given, traitsOf(loaded.preprocessing), true);
  const own = storedJob(loaded)?.own, { format: _, ...files } = own?.files ?? { data: ["-"] };
  const before = own ?? preparedAs(loaded.preprocessing);
  byKind(restoreAny(loaded.preprocessing), {
    sequences: () => {},
    pairs: () => {},
    forecasts: (pipeline) => {
      const { targetColumns, featureColumns } = pipeline.toJSON();
      refuseColumns("forecast", "targetColumns", given, before, targetColumns);
      refuseColumns("columns", "featureColumns", given, before, featureColumns);
    },
  });
  return resolveDataJob("read data", given, { ...before, files });
}

/** Refuses columns of a forecast other than those that its model was fitted to. */
function refuseColumns(
  group: "forecast" | "columns",
  option: string,
  given: GivenOptions,
  before: { readonly [G in keyof DataJob]?: object },
  fitted: readonly string[],
): void {
  const of = (groups: { readonly [G in keyof DataJob]?: object }) =>
    (groups[group] as Readonly<Record<string, readonly string[] | undefined>> | undefined)?.[option];
  const asked = of(given)?.join(",");
  if (asked === undefined || asked === fitted.join(",") || asked === of(before)?.join(",")) return;
  throw new UsageError(
    `--${flagFor(group, option)} cannot be changed: the model takes ${fitted.join(", ")}, got ${asked}`,
  );
}

/** What data are, as preprocessing knows it. */
function traitsOf(preprocessing: unknown): Traits {
  return byKind<Traits>(restoreAny(preprocessing), {
    sequences: ({ numEmbeddings }) => ({ form: "labeled sequences", input: numEmbeddings ? "text" : "numbers" }),
    forecasts: () => ({ form: "forecasts" }),
    pairs: () => ({ form: "pairs" }),
  });
}

/** What preprocessing says of how its data are read, where no job does. */
export function preparedAs(preprocessing: unknown): { readonly [G in keyof DataJob]?: object } {
  return byKind<{ readonly [G in keyof DataJob]?: object }>(restoreAny(preprocessing), {
    sequences(pipeline) {
      const { inputs, labels: { separator }, everyStep: labelEveryStep, windows } = pipeline.toJSON();
      const tokens = inputs.kind === "tokens" && { tokens: inputs.vocabulary.unit }, { window, ...cut } = windows ?? {};
      return {
        preparation: {
          task: pipeline.task,
          ...tokens,
          ...separator !== null && { labelSeparator: separator },
          ...labelEveryStep && { labelEveryStep },
          ...cut,
        },
        forecast: { window },
      };
    },
    pairs({ source, target, maxLength }) {
      const unitOf = ({ unit }: typeof source) => unit === "numbers" ? undefined : unit;
      const { normalize } = [target, source].find((side) => side.unit !== "numbers") ?? {};
      const pairs = { sourceTokens: unitOf(source), targetTokens: unitOf(target) };
      return { preparation: { task: "seq2seq", normalize, maxLength }, pairs };
    },
    forecasts(pipeline) {
      const { targetColumns, featureColumns, window, horizon, transform, center, missing } = pipeline.toJSON();
      const forecast = { targetColumns, window, horizon, transform, center };
      return { columns: { featureColumns }, preparation: { task: "forecast", missing }, forecast };
    },
  });
}

/**
 * Refuses options about data of the other kind than a checkpoint's: made for the sample job, or in files.
 *
 * @param hasFiles Whether files are named.
 * @throws {UsageError} If there are some.
 */
export function refuseForeign({ preprocessing }: LoadedJob, given: GivenOptions, hasFiles: boolean): void {
  const idle: Group[] = preprocessing ? ["data", "everything"] : hasFiles ? [] : ["files", "columns"];
  for (const group of idle) {
    const [name] = Object.keys(given[group]);
    if (name === undefined) continue;
    const flag = `--${flagFor(group, name)}`;
    throw new UsageError(
      preprocessing
        ? `${flag} is for checkpoints of the sample job, not for those of files`
        : `${flag} is for files: name some`,
    );
  }
}

/** What the loss of a checkpoint was trained with, but for weights. */
export function lossSettings({ model, trainer }: LoadedCheckpoint): LossSettings {
  return { quantiles: quantilesOf(model), ...settingsOf(trainer?.options ?? {}) };
}

/**
 * The job of a checkpoint that is resumed; only the number of epochs, and where the files are, may be others.
 *
 * @param name What errors call the checkpoint.
 */
export function resumedJob(loaded: LoadedCheckpoint, given: GivenOptions, name: string): Job {
  const { model, trainer, training } = loaded, stored = storedJob(loaded);
  if (!trainer || !training || !stored) {
    throw new Error(
      `cannot resume from "${name}": it holds no training of this command; its weights: train FILE --from ${
        shellWord(name)
      }`,
    );
  }
  const { inputSize: _i, outputSize: _o, loss: _l, quantiles: _q, ...config } = stored.model
    ? stored.model as FullConfig
    : configOfModel(model);
  const { optimizer, seed: _s, ...options } = trainer.options,
    { schedule, earlyStopping, teacher, ...rest } = training.options;
  const kept: Job = {
    data: stored.data,
    own: stored.own,
    model: config,
    training: { ...rest, ...options },
    schedule,
    earlyStopping,
    ...teacher && { teacher },
    optimizer,
    everything: { seed: stored.seed },
    device: given.device,
  };
  const before: { readonly [G in Group]?: object } = { ...kept, ...kept.own };
  for (const [group, values] of Object.entries(given) as [Group, object][]) {
    const known = new Map(Object.entries(before[group] ?? {}));
    for (const [option, value] of Object.entries(values)) {
      if (group === "files" || option === "epochs" || String(known.get(option)) === String(value)) continue;
      throw new UsageError(
        `--${flagFor(group, option)} cannot be changed on --resume: "${name}" has ${
          known.get(option) ?? "none"
        }, got ${value}`,
      );
    }
  }
  const own = kept.own && { ...kept.own, files: { ...kept.own.files, ...given.files } };
  return { ...kept, own, training: { ...kept.training, ...given.training } };
}

/**
 * The config of a checkpoint's model, where its network is the ready-made one.
 *
 * @param action What cannot be done without: "predict".
 */
export function configOf({ config }: NetworkModel, action: string): Readonly<FullConfig> {
  if (config) return config;
  const advice = "train it with its preprocessing kept, or load it in a program: loadCheckpoint";
  throw new Error(`cannot ${action}: the checkpoint holds a network of your own and no preprocessing: ${advice}`);
}

/**
 * The made data that a checkpoint was trained and validated on, or new data if the options describe some.
 *
 * @param action What cannot be done without: "predict".
 */
export function storedSample(
  loaded: LoadedCheckpoint,
  given: GivenOptions,
  action: string,
): { train?: Dataset; held: Dataset; heldName: "validation" | "test" } {
  const stored = storedJob(loaded), { inputSize, outputSize } = configOf(loaded.model, action);
  if (!fitsSample(loaded.model)) {
    throw new Error(
      `cannot ${action}: the data of this command have 2 classes, the checkpoint's model has ${outputSize}`,
    );
  }
  if (Object.keys(given.data).length || Object.keys(given.everything).length) {
    const { data, everything: { seed } } = resolveJob({ ...given, data: { features: inputSize, ...given.data } });
    if (data.features !== inputSize) {
      throw new UsageError(`--features must be ${inputSize}, as in the checkpoint, got ${data.features}`);
    }
    return { held: sampleDataset({ ...data, seed }), heldName: "test" };
  }
  if (!stored) {
    throw new Error(`cannot ${action}: the checkpoint names no data; give some with --size, --steps and --seed`);
  }
  const { train, watched, watchedName } = sampleData({
    data: stored.data,
    everything: { seed: stored.seed },
    training: { loss: "bce" },
  });
  return { train: train as Dataset, held: watched as Dataset, heldName: watchedName };
}
