/** What a job is: the options of the library's tables, with the sample job's defaults, and those of data in files. */

import { SAMPLE_OPTIONS, type SampleOptions } from "../data/sample.ts";
import type { Simd } from "../device/device.ts";
import { errorCause } from "../errors.ts";
import { type FullConfig, MODEL_OPTIONS } from "../model/config.ts";
import type { LossName, LossSettings } from "../model/losses.ts";
import { DEVICE_OPTIONS, type DeviceName } from "../model/model.ts";
import { type OptionSpec, resolveOptions } from "../options.ts";
import { OPTIMIZER_OPTIONS, type OptimizerOptions, resolveOptimizer } from "../train/optimizer.ts";
import { EARLY_STOPPING_OPTIONS, type EarlyStoppingOptions } from "../train/early_stopping.ts";
import { resolveSchedule, SCHEDULE_OPTIONS, type ScheduleOptions } from "../train/schedule.ts";
import { resolveTeacher, TEACHER_OPTIONS, type TeacherOptions } from "../train/teacher.ts";
import { TRAIN_OPTIONS, type TrainingSettings } from "../train/training_options.ts";
import { TRAINER_OPTIONS, type TrainerOptions } from "../train/trainer.ts";
import { DATA_OPTIONS, type DataJob, resolveDataJob } from "./data_options.ts";

/** Options that cannot be understood, or do not go together. */
export class UsageError extends Error {}

// What the data say of a model is no flag.
const { inputSize: _i, outputSize: _o, numEmbeddings: _n, paddingIdx: _p, loss: _l, quantiles: _q, ...model } =
  MODEL_OPTIONS;
const { seed, ...sample } = SAMPLE_OPTIONS;
// Weights are flags of the user's own data.
const { seed: _s, classWeights: _c, posWeight: _w, ...trainer } = TRAINER_OPTIONS;

/** The options of a job, by the object they belong to. */
export const JOB_OPTIONS = {
  ...DATA_OPTIONS,
  // Fewer cannot be split into 80 % and 20 %.
  data: { ...sample, size: { ...sample.size, least: 5 } },
  model: {
    ...model,
    hiddenSize: { ...model.hiddenSize, default: 10 },
    dropout: { ...model.dropout, default: 0.5 },
    bias: { ...model.bias, off: "no biases in the recurrent layers" },
  },
  training: { ...TRAIN_OPTIONS, ...trainer },
  earlyStopping: EARLY_STOPPING_OPTIONS,
  schedule: SCHEDULE_OPTIONS,
  teacher: TEACHER_OPTIONS,
  optimizer: OPTIMIZER_OPTIONS,
  everything: { seed },
  device: {
    ...DEVICE_OPTIONS,
    device: {
      ...DEVICE_OPTIONS.device,
      choices: ["auto", ...DEVICE_OPTIONS.device.choices!],
      about: "where to compute; auto: measure",
    },
  },
} satisfies Record<string, Record<string, OptionSpec>>;

/** What an option belongs to. */
export type Group = keyof typeof JOB_OPTIONS;

/** Options as they were given, by group, checked one by one. */
export type GivenOptions = {
  readonly [G in Group]: G extends keyof DataJob ? Partial<DataJob[G]>
    : G extends keyof Job ? Partial<NonNullable<Job[G]>>
    : never;
};

/** Options of a training and its trainer, all in one. */
export type TrainingJob =
  & Omit<TrainingSettings, "earlyStopping" | "schedule" | "teacher" | "validationLoss">
  & Omit<TrainerOptions, "losses" | "optimizer" | "seed" | "classWeights" | "posWeight">;

/** The options of a job, all filled in. */
export interface Job {
  readonly data: Required<Omit<SampleOptions, "seed">>;
  /** Training on files; absent where the data are made. */
  readonly own?: DataJob;
  readonly model: Omit<FullConfig, "inputSize" | "outputSize" | "numEmbeddings" | "paddingIdx" | "loss" | "quantiles">;
  readonly training: TrainingJob;
  readonly earlyStopping?: EarlyStoppingOptions;
  readonly schedule?: ScheduleOptions;
  /** Of pairs: how often the decoder is fed targets. */
  readonly teacher?: TeacherOptions;
  readonly optimizer: OptimizerOptions;
  readonly everything: { readonly seed: number };
  /** What it runs on: not stored, for the result is the same. */
  readonly device: { readonly device?: "auto" | DeviceName; readonly threads?: number | "auto"; readonly simd?: Simd };
}

/** What a job says of data in files, and of their loss. */
export type FileJob = Pick<Job, "everything"> & {
  readonly own: DataJob;
  readonly training: Pick<TrainingJob, "loss" | keyof LossSettings>;
};

/** The flag of an option: its own, or its name in kebab-case. */
export function flagOf(name: string, spec: OptionSpec): string {
  return spec.flag ?? kebab(name);
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** Every option with its group and flag, and the flags that it used to have: these still work. */
export const FLAGS: { group: Group; name: string; spec: OptionSpec; flag: string; formerly: string[] }[] = Object
  .entries(JOB_OPTIONS)
  .flatMap(
    ([group, specs]) =>
      Object.entries(specs as Record<string, OptionSpec>).map(([name, spec]) => ({
        group: group as Group,
        name,
        spec,
        flag: flagOf(name, spec),
        formerly: spec.formerly === undefined ? [] : [kebab(spec.formerly)],
      })),
  );

/** The flag of an option of a job. */
export function flagFor(group: Group, name: string): string {
  return FLAGS.find((flag) => flag.group === group && flag.name === name)!.flag;
}

/**
 * The job that options ask for, all filled in.
 *
 * @throws {UsageError} If options do not go together.
 */
export function resolveJob(given: GivenOptions): Job {
  const isOwn = given.files.data !== undefined;
  const foreign = Object.entries(given).find(([group, values]) =>
    (group === "data" ? isOwn : (group === "teacher" || group in DATA_OPTIONS) && !isOwn) && Object.keys(values).length
  );
  if (foreign) {
    const flag = flagFor(foreign[0] as Group, Object.keys(foreign[1])[0]!);
    throw new UsageError(
      isOwn ? `--${flag} is for the sample job's data, not for --data` : `--${flag} needs --data FILE`,
    );
  }
  const { model: { layerDropout, numLayers }, pairs: { encoderLayers }, optimizer: { dampening, momentum } } = given;
  if (layerDropout !== undefined && Math.max(encoderLayers ?? 1, numLayers ?? 1) < 2) {
    throw new UsageError("--layer-dropout needs --num-layers 2");
  }
  if (dampening !== undefined && !momentum) throw new UsageError("--dampening needs --momentum X");
  const resolve = <G extends keyof Job>(group: G & Group, defaults: object = {}) =>
    resolveOptions<NonNullable<Job[G]>>("train", JOB_OPTIONS[group], { ...defaults, ...given[group] });
  ofKind("schedule", () => resolveSchedule(given.schedule as ScheduleOptions));
  return {
    data: resolve("data"),
    ...isOwn && { own: resolveDataJob("train", given) },
    model: resolve("model", isOwn ? { ...OWN_MODEL, ...given.preparation.task === "seq2seq" && SEQ2SEQ_MODEL } : {}),
    training: isOwn ? resolveOwnTraining(given.training) : resolve("training"),
    ...Object.keys(given.earlyStopping).length && { earlyStopping: given.earlyStopping },
    ...Object.keys(given.teacher).length && { teacher: ofKind("teacher", () => resolveTeacher(given.teacher)) },
    ...Object.keys(given.schedule).length && { schedule: given.schedule as ScheduleOptions },
    optimizer: ofKind("optimizer", () => resolveOptimizer(given.optimizer)),
    everything: resolve("everything"),
    device: resolve("device"),
  };
}

/**
 * For the user's own data, the task says which loss it is unless one is given, and their number how many epochs; a last batch
 * of few sequences counts no more than they do.
 */
function resolveOwnTraining(given: GivenOptions["training"]): TrainingJob {
  const { loss: _, epochs, ...training } = resolveOptions<TrainingJob>("train", JOB_OPTIONS.training, {
    validationReduction: "sequences",
    ...given,
  });
  return {
    ...given.epochs !== undefined && { epochs },
    ...training,
    ...given.loss !== undefined && { loss: given.loss as LossName },
  };
}

/** What a model for the user's own data is where nothing is said. */
export const OWN_MODEL: Readonly<Record<string, number>> = { hiddenSize: 32, dropout: 0.2 };

/** The same for pairs. */
const SEQ2SEQ_MODEL = { hiddenSize: 64, bidirectional: true };

/**
 * The options of something of several kinds, in flags: those of another kind are refused with its name.
 *
 * @param resolve What checks them.
 */
function ofKind<T>(group: "optimizer" | "schedule" | "teacher", resolve: () => T): T {
  try {
    return resolve();
  } catch (error) {
    const { option, code, problem } = errorCause(error) ?? {};
    if (option === undefined) throw error;
    const { kinds } = JOB_OPTIONS[group][option as never] as OptionSpec, flag = flagFor(group, option);
    if (code !== "option-unknown" || !kinds) throw new UsageError(inFlags(group, problem!));
    const owners = Object.keys(kinds).map((kind) => `--${flagFor(group, "name")} ${kind}`);
    throw new UsageError(`--${flag} belongs to ${owners.join(" or ")}`);
  }
}

/** Words about options of a group, with flags for their names. */
function inFlags(group: Group, text: string): string {
  const names = Object.keys(JOB_OPTIONS[group]);
  return text.replace(/\b[a-z]+[A-Za-z]*\b/g, (word) => names.includes(word) ? `--${flagFor(group, word)}` : word);
}
