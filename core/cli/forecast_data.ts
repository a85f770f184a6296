/** Forecasts over a table: its rows divided in time, prepared, scored. */

import type { Dataset } from "../data/dataset.ts";
import type { Preprocessing } from "../data/preprocessing.ts";
import type { Table } from "../data/readers/record.ts";
import { walkForward } from "../data/split.ts";
import { type ForecastDataset, ForecastPipeline, type RowRange } from "../data/windows.ts";
import { describeForecasts } from "../report/describe.ts";
import type { DataJob } from "./data_options.ts";
import { dividing, type JobData, type OwnJob, type Scored } from "./job_data.ts";
import { type Loads, loadTable } from "./load_data.ts";
import { chooseLoss, type ChosenLoss } from "./loss.ts";
import { type Arguments, flagFor, UsageError } from "./options.ts";
import { plural } from "./terminal.ts";

/** Rows for training, watching and testing. */
interface Division {
  /** Which of several: "fold 2". */
  readonly name?: string;
  readonly train: RowRange;
  readonly validation?: RowRange;
  readonly test?: RowRange;
}

/** Every training that a job asks for. */
export async function* forecasts({ own, training }: OwnJob, loads: Loads, restored?: Preprocessing) {
  const job = own!, { files, columns, preparation, division, forecast } = job;
  const { targetColumns, window, season, trainRows: _, testRows: __, ...options } = forecast;
  if (!targetColumns) throw new UsageError("--task forecast needs --target-column NAME, what is forecast");
  if (window === undefined) throw new UsageError("--target-column needs --window N, the rows that a forecast sees");
  for (const name of ["testEvery", "folds"] as const) {
    if (division[name] === undefined) continue;
    throw new UsageError(
      `--${flagFor("division", name)} mixes past and future: forecasts are divided by --train-rows and --test-rows, ` +
        "or --walk-forward",
    );
  }
  if (files.testData) {
    throw new UsageError("--test-data is not for forecasts: --test-rows FROM:TO are rows of the one table");
  }
  const loss = chooseLoss(training, { task: "forecast", loss: "mse" });
  if (loss.quantiles && options.transform !== "none" && options.horizon !== 1) {
    throw new UsageError(
      `--loss quantile with --transform ${options.transform} takes --horizon 1: quantiles of changes do not add up`,
    );
  }
  const table = await loads.table();
  for (const { name, ...rows } of divide(job, table)) {
    const { featureColumns } = columns, { standardize, missing } = preparation;
    const pipeline = restored as ForecastPipeline ?? ForecastPipeline.fit(
      table,
      { targetColumns, featureColumns, window, ...options, standardize, missing },
      rows.train,
    );
    yield { name, data: forecastData(pipeline, table, rows, loss, season) };
  }
}

/** The rows to train, to watch and to test on: always in that order. */
function divide({ division, forecast }: DataJob, table: Table): Division[] {
  const watched = ({ train: [from, to], ...rest }: Division): Division => {
    if (division.validationSplit === undefined) return { train: [from, to], ...rest };
    const at = to - Math.max(1, Math.round((to - from) * division.validationSplit));
    return { ...rest, train: [from, at], validation: [at, to] };
  };
  if (division.walkForward !== undefined) {
    const folds = dividing(
      { what: table.name, item: "row", option: "walkForward" },
      () => walkForward(table.rows, division.walkForward!),
    );
    return folds.map(({ trainRows, testRows }, i) =>
      watched({ name: `fold ${i + 1}`, train: trainRows, test: testRows })
    );
  }
  const { rows } = table, { trainRows, testRows } = forecast, share = division.testSplit ?? 0.2;
  const range = (name: string, text: string, from: number, to: number): RowRange => {
    const match = text.match(/^(\d*):(\d*)$/), start = Number(match?.[1] || from), end = Number(match?.[2] || to);
    if (match && start < end && end <= rows) return [start, end];
    throw new UsageError(
      `--${flagFor("forecast", name)} must be FROM:TO within rows 0 to ${rows}, got "${text}"`,
    );
  };
  const test = testRows !== undefined
    ? range("testRows", testRows, 0, rows)
    : share > 0
    ? [Math.round(rows * (1 - share)), rows] as const
    : undefined;
  const train = trainRows !== undefined
    ? range("trainRows", trainRows, 0, test?.[0] ?? rows)
    : [0, test?.[0] ?? rows] as const;
  if (test && train[1] > test[0]) {
    throw new UsageError(`rows ${train.join(":")} to train on must come before rows ${test.join(":")} to test on`);
  }
  return [watched({ train, test })];
}

function forecastData(
  pipeline: ForecastPipeline,
  table: Table,
  rows: Division,
  loss: ChosenLoss,
  season?: number,
): JobData {
  const { train, validation, test } = rows, dataset = windows(pipeline.dataset(table, train));
  const watched = validation && windows(pipeline.dataset(table, validation));
  const held = test && pipeline.dataset(table, test), tested = held && windows(held);
  const seasonal = held && season ? pipeline.seasonal(table, held, season) : undefined;
  const part = (name: string, { shape }: Dataset, [from, to]: RowRange) =>
    `${name}: ${plural(shape[0]!, "window")}, targets in rows ${from}:${to}`;
  const names = pipeline.labels.slice(0, 3).join(", ") + (pipeline.labels.length > 3 ? ", …" : "");
  return {
    train: dataset,
    watched: watched ?? tested,
    watchedName: watched ? "validation" : "test",
    config: { inputSize: pipeline.inputSize, outputSize: pipeline.outputSize },
    loss,
    hasAccuracy: false,
    weights: {},
    description: [
      `${table.name}: ${table.rows} rows; ${names} from ${pipeline.window} rows of ${pipeline.channelNames.join(", ")}`,
      part("train", dataset, train),
      ...watched ? [part("validation", watched, validation)] : [],
      ...tested ? [part("test", tested, test!)] : [],
      ...[...table.notes ?? [], ...pipeline.notes].map((note) => `note: ${note}`),
    ],
    own: {
      preprocessing: pipeline,
      test: tested,
      targets: pipeline.toJSON().targetColumns,
      metrics: (outputs, quantiles) => pipeline.score(outputs, held!, { quantiles, seasonal }),
      pictures: async (model, probabilities) =>
        test && held ? await describeForecasts(model, pipeline, table, test, { data: held, probabilities }) : {},
    },
  };
}

/** Windows as a dataset: nothing else. */
function windows({ x, shape, targets }: ForecastDataset): Dataset {
  return { x, shape, targets };
}

/** A table as a fitted pipeline takes it: every window of it. */
export async function tableData(
  pipeline: ForecastPipeline,
  paths: readonly string[],
  job: DataJob,
  args: Arguments,
): Promise<Scored> {
  const table = await loadTable(paths, job, args), held = pipeline.dataset(table);
  const { targetColumns: targets } = pipeline.toJSON();
  const { season } = job.forecast, seasonal = season ? pipeline.seasonal(table, held, season) : undefined;
  return {
    test: windows(held),
    targets,
    metrics: (outputs, quantiles) => pipeline.score(outputs, held, { quantiles, seasonal }),
  };
}
