/** The data of a page: files or a sample, what was understood of them, and the job that they make with the form. */

import { isZip, memberOf, partsInZip } from "../../core/job/divided_files.ts";
import { classesByName, inputsInZip } from "../../core/job/inputs.ts";
import { defaultEpochs } from "../../core/job/learning.ts";
import { type GivenOptions, type Job, resolveJob } from "../../core/job/options.ts";
import { type DataSource, type Input, readOptions } from "../../core/job/read_data.ts";
import { sampleInput } from "../../core/job/sample_pairs.ts";
import type { Traits } from "../../core/job/suits.ts";
import { sequencesIn } from "../../core/job/training_data.ts";
import type { TrainingRun } from "../../core/job/training_run.ts";
import { trainingsOf } from "../../core/job/trainings.ts";
import { resolveDataJob } from "../../core/job/data_options.ts";
import { byKind } from "../../core/data/preprocessing.ts";
import { formatOf, readSuited } from "../../core/data/readers/read.ts";
import { columnWord } from "./command.ts";
import { type About, optionsOf } from "./fields.ts";
import { pathOf, type Sample } from "./samples.ts";
import { lookAt, type LookedAt, type Role } from "./table.ts";

/** A file as it was dropped. */
export interface Dropped {
  readonly name: string;
  readonly blob: Blob;
  /** What it is used for. */
  use: "train" | "test";
}

/** Files of a data set in two parts, by their names. */
const TEST = /(^|[^a-z0-9])test([^a-z0-9]|$)/i, TRAIN = /(^|[^a-z0-9])train([^a-z0-9]|$)/i;

/** Rows that a forecast sees, where nothing suggests another number. */
const WINDOW = 12;

/** What a page trains on, and how. */
export class Data {
  readonly files: readonly Dropped[];
  readonly sample?: Sample;
  /** Texts of the form's fields. */
  readonly texts: Map<string, string>;
  /** The columns of a table, if there is one, and what each is used for. */
  table?: LookedAt;
  roles: Role[] = [];
  /** What is trained, once it is understood. */
  run?: TrainingRun;
  /** What is to be said of the files. */
  readonly notes = new Set<string>();

  constructor(files: readonly Dropped[], sample?: Sample) {
    this.files = sample
      ? sample.files.map(({ name, text }) => ({ name, blob: new Blob([text]), use: "train" as const }))
      : files;
    this.sample = sample;
    this.texts = new Map(sample?.texts);
    const tests = this.files.filter(({ name }) => TEST.test(name));
    if (tests.length < this.files.length && this.files.some(({ name }) => TRAIN.test(name))) {
      for (const file of tests) file.use = "test";
    }
  }

  /** Whether they come from files, or are read as if they did. */
  get isOwn(): boolean {
    return this.files.length > 0 || this.sample?.flag !== undefined;
  }

  /** Looks at the first file, if it is a table, for what its columns are. */
  async look(): Promise<void> {
    const { files } = optionsOf(this.texts);
    this.table = undefined;
    this.roles = [];
    const [first] = this.files.length ? await this.#inputs(this.#names("train"), false).catch(() => []) : [];
    if (!first || !await isTable(first, files.format as string | undefined)) return;
    const { data: _, ...given } = files;
    const { files: full, columns, preparation } = resolveDataJob("read data", {
      files: { ...given, data: [first.name] },
    });
    const { format: __, ...options } = readOptions({ files: full, columns, preparation });
    const table = await lookAt(first, options).catch(() => undefined);
    if (!table || table.columns.length < 2) return;
    this.table = table;
    this.roles = table.columns.map(({ guess }) => guess);
    const suggested = {
      "files.header": table.header === false ? "no" : undefined,
      "preparation.task": table.task,
      "forecast.window": table.window?.toString(),
    };
    for (const [key, text] of Object.entries(suggested)) {
      if (text !== undefined && !this.texts.has(key)) this.texts.set(key, text);
    }
  }

  /** Takes a column for something else. */
  use(place: number, role: Role): void {
    const hadTarget = this.roles.includes("target"), key = "forecast.window";
    this.roles[place] = role;
    const hasTarget = this.roles.includes("target") && !this.roles.includes("source");
    // Windows are what forecasts see; of recordings they are something else.
    if (hasTarget && !hadTarget && !this.texts.has(key)) this.texts.set(key, String(this.table!.window ?? WINDOW));
    if (!hasTarget && hadTarget && this.texts.get(key) === String(this.table!.window ?? WINDOW)) this.texts.delete(key);
  }

  /** The options that the page gives, as a command line would. */
  given(): GivenOptions {
    const given = optionsOf(this.texts), { sample } = this;
    if (sample?.flag) given.files.data = [pathOf(sample.flag, given.everything.seed as number ?? 0)];
    else if (this.files.length) {
      given.files.data = this.#names("train");
      if (this.#names("test").length) given.files.testData = this.#names("test");
      Object.assign(given.columns, this.#columns());
      Object.assign(given.forecast, this.#targets());
    }
    // The bits of every engine; the graphics card has its own.
    if (given.device.device !== "webgpu") given.device.simd = "plain";
    else delete given.device.threads;
    return inOrder(given) as unknown as GivenOptions;
  }

  /** The names of files with a use. */
  #names(use: Dropped["use"]): string[] {
    return this.files.filter((file) => file.use === use).map(({ name }) => name);
  }

  /** The names of columns with a role. */
  #named(...roles: Role[]): string[] {
    return this.roles.flatMap((role, i) => roles.includes(role) ? [columnWord(this.table!.columns[i]!.name, i)] : []);
  }

  #columns(): Record<string, unknown> {
    if (!this.table) return {};
    const one = (role: Role) => this.#named(role)[0], label = this.#named("label");
    const isForecast = this.roles.includes("target") && !this.roles.includes("source");
    const inputs = isForecast ? this.#named("input", "target") : this.#named("input");
    const isPart = this.roles.some((role, i) => role === "none" && !this.#isPassedOver(i));
    const takes = isForecast
      ? this.roles.includes("input")
      : isPart && !this.roles.some((role) => role === "text" || role === "source");
    return {
      sequenceColumn: one("sequence"),
      timeColumn: one("time"),
      labelColumn: label.length ? label : undefined,
      featureColumns: takes && inputs.length ? inputs : undefined,
      groupColumn: one("group"),
      weightColumn: one("weight"),
      textColumn: one("text"),
      sourceColumn: one("source"),
    };
  }

  /** Whether a column is left out without being told: a row's name. */
  #isPassedOver(place: number): boolean {
    return /^id$/i.test(this.table!.columns[place]!.name) && !this.roles.includes("sequence");
  }

  #targets(): Record<string, unknown> {
    const targets = this.table ? this.#named("target") : [];
    return { targetColumns: targets.length ? targets : undefined };
  }

  /**
   * Reads the data as the form says.
   *
   * @throws What is wrong with the form or the data.
   */
  async understand(): Promise<TrainingRun> {
    this.run = undefined;
    this.notes.clear();
    const given = this.given(), isGpu = given.device.device === "webgpu";
    // One core is left to the page, so that it stays free to move; the bits are those of any number.
    const device = isGpu ? given.device : { threads: Math.max(1, navigator.hardwareConcurrency - 1), ...given.device };
    const job = resolveJob({ ...given, device });
    const trainings = trainingsOf({
      seeds: 1,
      source: this.#source(given),
      resume: () => Promise.resolve(undefined),
      jobOf: () => job,
      device,
      onMeasured() {},
    });
    const { value } = await trainings.next();
    return this.run = value!;
  }

  #source(given: GivenOptions): DataSource {
    return {
      action: "train",
      given,
      parts: async (path) => {
        const file = isZip(path) && this.files.find(({ name }) => name === path);
        if (!file) return undefined;
        return await partsInZip(
          path,
          new Uint8Array(await file.blob.arrayBuffer()),
          (text) => void this.notes.add(text),
        );
      },
      inputs: (paths, isText) => this.#inputs(paths, isText),
      file: (path) => inputOf(this.files.find(({ name }) => name === path)!),
    };
  }

  /** What files hold, as the command line takes them. */
  async #inputs(paths: readonly string[], isText: boolean): Promise<Input[]> {
    const inputs: Input[] = [], note = (text: string) => void this.notes.add(text);
    for (const path of paths) {
      const sample = sampleInput(path), member = memberOf(path), own = member?.archive ?? path;
      const file = this.files.find(({ name }) => name === own)!;
      if (sample) inputs.push(sample);
      else if (isZip(own)) {
        const bytes = new Uint8Array(await file.blob.arrayBuffer());
        inputs.push(...await inputsInZip(own, bytes, isText, note, member?.name));
      } else inputs.push(inputOf(file));
    }
    return isText ? await classesByName(inputs, note) : inputs;
  }

  /** What the form is about. */
  about(hasGpu: boolean): About {
    const { run, isOwn } = this;
    return {
      traits: run ? traitsOf(run) : {},
      isOwn,
      format: run && formatIn(run),
      defaults: run ? defaultsOf(run) : {},
      hasGpu,
    };
  }
}

/** Values by group without those that are not there, in the order of the tables. */
function inOrder(given: Record<string, Record<string, unknown>>): Record<string, Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(given).map(([group, values]) => [
      group,
      Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)),
    ]),
  );
}

/** Whether an input is a table; where its name does not tell, its beginning does. */
async function isTable(input: Input, asked: string | undefined): Promise<boolean> {
  const known = asked ?? formatOf(input.name);
  if (known !== undefined) return known === "csv";
  try {
    const { format, records } = await readSuited(input, { optionalLabels: true }, new Set());
    // To leave closes it.
    for await (const _ of records) break;
    return format === "csv";
  } catch {
    // What is wrong with it is told when it is read.
    return true;
  }
}

function inputOf({ name, blob }: Dropped): Input {
  return { name, stream: () => blob.stream() as unknown as AsyncIterable<Uint8Array> };
}

/** What is known of data, for what suits them. */
function traitsOf({ data: { own } }: TrainingRun): Traits {
  if (!own) return {};
  return byKind<Traits>(own.preprocessing, {
    sequences: ({ task, numEmbeddings }) => ({
      form: "labeled sequences",
      input: numEmbeddings ? "text" : "numbers",
      task,
    }),
    pairs: () => ({ form: "pairs", input: "text" }),
    forecasts: () => ({ form: "forecasts", input: "numbers" }),
  });
}

function formatIn({ data: { own } }: TrainingRun): string | undefined {
  return (own?.preprocessing as { reading?: { format?: string } } | undefined)?.reading?.format;
}

/** What holds where nothing is said. */
function defaultsOf({ job, data }: TrainingRun): Record<string, string> {
  const { training, model, optimizer, own } = job as Job & { optimizer: { learningRate?: number } };
  return {
    "training.epochs": String(training.epochs ?? defaultEpochs(sequencesIn(data.train), training)),
    "training.loss": data.loss.loss,
    "optimizer.learningRate": String(optimizer.learningRate),
    "model.hiddenSize": String(model.hiddenSize),
    "model.dropout": String(model.dropout),
    "model.bidirectional": model.bidirectional ? "yes" : "no",
    ...own && {
      "preparation.task": data.own!.preprocessing.task,
      "division.testSplit": own.files.testData ? "0" : "0.2",
      "files.header": "yes",
    },
  };
}
