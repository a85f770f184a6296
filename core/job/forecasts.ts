/** Forecasts over a table: its rows divided in time, prepared, scored. */

import type { Dataset } from "../data/dataset.ts";
import { divideRows, type Division, type RowDivision } from "../data/division.ts";
import { hashDataset } from "../data/hash.ts";
import type { Table } from "../data/readers/record.ts";
import { ForecastPipeline } from "../data/forecast.ts";
import type { RowRange } from "../data/forecast_state.ts";
import { breakAt, type ForecastDataset, type LeftOut } from "../data/windows.ts";
import { describeForecasts } from "../report/describe.ts";
import type { DataJob } from "./data_options.ts";
import { chooseLoss, type ChosenLoss } from "./loss.ts";
import { type FileJob, flagFor, UsageError } from "./options.ts";
import { type DataSource, loadTable, type ReadData } from "./read_data.ts";
import type { NamedTraining, TestData, Trained, TrainingData } from "./training_data.ts";
import { plural } from "./words.ts";

/** Every training that a job asks for. */
export async function* forecasts(
  { own: job, training }: FileJob,
  read: ReadData,
  restored?: ForecastPipeline,
): AsyncGenerator<NamedTraining> {
  read.refuseUnsuited({ form: "forecasts" });
  const { columns, preparation, forecast } = job;
  const { targetColumns, window, season: _s, trainRows: _, testRows: __, ...options } = forecast;
  if ((preparation.task ?? "forecast") !== "forecast") {
    throw new UsageError(`--task ${preparation.task} is not for forecasts: --target-column asks for one`);
  }
  if (!targetColumns) throw new UsageError("--task forecast needs --target-column NAME, what is forecast");
  if (window === undefined) throw new UsageError("--target-column needs --window N, the rows that a forecast sees");
  const loss = chooseLoss(training, { task: "forecast", loss: "mse" });
  if (loss.quantiles && options.transform !== "none" && options.horizon !== 1) {
    throw new UsageError(
      `--loss quantile with --transform ${options.transform} takes --horizon 1: quantiles of changes do not add up`,
    );
  }
  const table = await read.table(restored?.reading);
  for (const { name, ...rows } of divideRows(table, rowsOf(job, table))) {
    const { featureColumns } = columns, { standardize, missing } = preparation;
    const pipeline = restored ?? ForecastPipeline.fit(
      table,
      { targetColumns, featureColumns, window, ...options, standardize, missing },
      rows.train,
    );
    yield { name, data: forecastData(pipeline, table, rows, loss, job) };
  }
}

/** Rows that a flag asks for: "96:", "0:96"; "-24:" are the last 24. */
function rowRange(
  { rows }: Table,
  name: string,
  text: string | undefined,
  from: number,
  to?: number,
): RowRange | undefined {
  if (text === undefined) return undefined;
  const match = text.match(/^(-?\d+)?:(-?\d+)?$/), place = (at: number) => at < 0 ? rows + at : at;
  const start = place(Number(match?.[1] ?? from)), end = place(Number(match?.[2] ?? to ?? rows));
  if (match && 0 <= start && start < end && end <= rows) return [start, end];
  throw new UsageError(`--${flagFor("forecast", name)} must be FROM:TO within rows 0 to ${rows}, got "${text}"`);
}

/** How a job divides the rows of its table. */
function rowsOf({ division, forecast: { trainRows, testRows } }: DataJob, table: Table): RowDivision {
  const { rows } = table;
  const { testSplit, validationSplit, walkForward } = division, test = rowRange(table, "testRows", testRows, 0);
  const [{ test: held }] = divideRows({ name: "", rows }, { testSplit, test }) as [Division<RowRange>];
  const train = rowRange(table, "trainRows", trainRows, 0, held?.[0]);
  if (held && train && train[1] > held[0]) {
    throw new UsageError(`rows ${train.join(":")} to train on must come before rows ${held.join(":")} to test on`);
  }
  return { testSplit, test, train, validationSplit, walkForward };
}

function forecastData(
  pipeline: ForecastPipeline,
  table: Table,
  rows: Division<RowRange>,
  loss: ChosenLoss,
  { preparation: { standardize, missing }, forecast }: DataJob,
): TrainingData {
  const { season } = forecast;
  const { train, validation, test } = rows, learned = pipeline.dataset(table, train), dataset = windows(learned);
  const looked = validation && pipeline.dataset(table, validation), watched = looked && windows(looked);
  const held = test && pipeline.dataset(table, test), tested = held && windows(held);
  const seasonal = held && season ? pipeline.seasonal(table, held, season) : undefined;
  const part = (name: string, { shape, leftOut }: ForecastDataset, [from, to]: RowRange) =>
    `${name}: ${plural(shape[0], "window")}, targets in rows ${from}:${to}${leftOutWords(leftOut)}`;
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
      part("train", learned, train),
      ...looked ? [part("validation", looked, validation)] : [],
      ...held ? [part("test", held, test)] : [],
      ...[...tableNotes(table), ...pipeline.notes].map((note) => `note: ${note}`),
    ],
    own: {
      preprocessing: pipeline,
      settings: { standardize, missing, ...forecast },
      test: tested,
      targets: pipeline.toJSON().targetColumns,
      metrics: (outputs, quantiles) => pipeline.score(outputs, held!, { quantiles, seasonal }),
      pictures: async (model, scored) =>
        test && held ? await describeForecasts(model, pipeline, table, test, { data: held, ...scored }) : {},
    },
  };
}

/** What is to be said of a table, and where its time breaks. */
export function tableNotes(table: Table): string[] {
  const { notes = [], breaks = [] } = table;
  if (!breaks.length) return [...notes];
  const all = breaks.length > 1 ? `, the first of ${breaks.length}` : "";
  return [...notes, `${breakAt(table, breaks[0]!)}${all}: no window reaches across`];
}

/** Windows that do not take part, in words. */
function leftOutWords({ breaks, missing }: LeftOut): string {
  const words = [
    ...breaks ? [`${plural(breaks, "window")} left out that would reach across a break of the time`] : [],
    ...missing ? [`${plural(missing, "window")} left out: values are missing`] : [],
  ];
  return words.map((what) => `; ${what}`).join("");
}

/** Windows as a dataset: nothing else. */
function windows({ x, shape, targets }: ForecastDataset): Dataset {
  return { x, shape, targets };
}

/**
 * A table to score a fitted pipeline's model on: rows that are asked for; of the table that it was trained on those that
 * were held out, with what is said about it; of another all of them.
 *
 * @param testRows Rows that are asked for.
 */
export async function tableData(
  pipeline: ForecastPipeline,
  paths: readonly string[],
  job: DataJob,
  source: DataSource,
  { trained = {}, testRows }: { readonly trained?: Trained; readonly testRows?: string } = {},
): Promise<TestData> {
  const table = await loadTable(paths, job, source, pipeline.reading),
    known = await divisionOf(pipeline, table, trained);
  const asked = rowRange(table, "testRows", testRows, 0), part = asked ?? known?.test ?? [0, table.rows] as const;
  const held = pipeline.dataset(table, part), { targetColumns: targets } = pipeline.toJSON();
  const { season } = job.forecast, seasonal = season ? pipeline.seasonal(table, held, season) : undefined;
  const remarks = [...tableNotes(table), trainedNote(part, known), leftOutWords(held.leftOut).slice(2)];
  return {
    test: windows(held),
    wasWatched: known !== undefined && !known.validation && part === known.test,
    targets,
    remark: remarks.filter((what) => what).join("; "),
    metrics: (outputs, quantiles) => pipeline.score(outputs, held, { quantiles, seasonal }),
  };
}

/** What part of a table is scored, and what of it was trained on. */
function trainedNote([from, to]: RowRange, known?: Division<RowRange>): string {
  const scored = `rows ${from}:${to} are scored`;
  if (!known) return `${scored}; this is not the table that was trained on, though rows of it may be`;
  const { train, validation } = known, seen = validation ? [train[0], validation[1]] as const : train;
  const isSeen = from < seen[1] && to > seen[0];
  return `${scored}${isSeen ? "" : ", which were held out"}; rows ${seen.join(":")} were trained on`;
}

/** How a table was divided, if it is the one that a model was trained on, or that one with more rows behind it. */
async function divisionOf(
  pipeline: ForecastPipeline,
  table: Table,
  { hash, job }: Trained,
): Promise<Division<RowRange> | undefined> {
  if (!hash || !job) return undefined;
  const isTrained = async (rows: RowRange) => await hashDataset(windows(pipeline.dataset(table, rows))) === hash;
  try {
    for (const division of divideRows(table, rowsOf(job, table))) {
      if (await isTrained(division.train)) return division;
    }
    const { rows: train } = pipeline, { validationSplit = 0 } = job.division;
    if (!train || !await isTrained(train)) return undefined;
    const [from, to] = train, end = from + Math.round((to - from) / (1 - validationSplit));
    return {
      train,
      ...end > to && { validation: [to, end] },
      ...end < table.rows && { test: [end, table.rows] },
    };
  } catch (error) {
    // Of another table these may be no rows, or rows without a window.
    if (!(error instanceof UsageError || error instanceof RangeError)) throw error;
  }
  return undefined;
}
