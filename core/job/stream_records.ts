/** Records in files, one file after the other, for predictions. */

import type { Pipeline } from "../data/pipeline.ts";
import type { RecordSource, SequenceRecord } from "../data/readers/record.ts";
import { type RecordingOptions, RecordingWindows } from "../data/recordings.ts";
import { errorCause } from "../errors.ts";
import type { DataJob } from "./data_options.ts";
import { piped } from "./piped.ts";
import { type DataSource, openRecords, partsOf } from "./read_data.ts";
import { askedOf, isText, like, readOptions, windowsOf } from "./reading_options.ts";
import { plural } from "./words.ts";

/** Records of one file after the other, as a fitted pipeline takes them: labels may be absent. */
export async function* streamRecords(
  paths: readonly string[],
  pipeline: Pick<Pipeline, "numEmbeddings" | "channelNames" | "stepNames" | "reading" | "dataset">,
  job: DataJob,
  source: DataSource,
): AsyncGenerator<RecordSource> {
  const options = { ...readOptions(job), optionalLabels: true, faults: true }, text = isText(job, pipeline.reading);
  const cut = windowsOf(job);
  // Whatever labels there are may change within a sequence.
  if (cut || job.preparation.labelEveryStep) options.labelsPerRow = true;
  const isLines = pipeline.numEmbeddings > 0 && (options.textColumn ?? pipeline.reading?.textColumn) === undefined;
  for (const given of await source.inputs(await partsOf(paths, source), pipeline.numEmbeddings > 0)) {
    const { input, format } = options.format ? { input: given } : await piped(given, isLines);
    const known = { ...format && { format }, ...options };
    const opened = await openRecords(
      input,
      like(input, known, text, pipeline.reading),
      pipeline,
      askedOf(source.given),
    );
    yield cut ? inWindows(opened, cut) : opened.format === "text" ? wholeTexts(opened, pipeline) : opened;
  }
}

/** Lines of text as they come: what stands where a label would, and is none of the model's, is part of the text. */
function wholeTexts(opened: RecordSource, pipeline: Pick<Pipeline, "dataset">): RecordSource {
  let count = 0;
  const isLabeled = (record: SequenceRecord) => {
    try {
      return record.labels !== undefined && pipeline.dataset([record]).rows.length > 0;
    } catch (error) {
      if (!errorCause(error)) throw error;
      return false;
    }
  };
  async function* records() {
    for await (const { line, ...record } of opened.records) {
      if (line === undefined || isLabeled(record)) yield record;
      else {
        count++;
        const { labels: _, ...about } = record;
        yield { ...about, text: line };
      }
    }
  }
  return {
    ...opened,
    records: records(),
    get notes() {
      const whole =
        `${plural(count, "line")} with a tab ${count === 1 ? "has" : "have"} no label of the model: all of ` +
        `${count === 1 ? "it" : "each"} is the text`;
      return [...opened.notes ?? [], ...count ? [whole] : []];
    },
  };
}

/** The windows of a file's recordings, as they come. */
function inWindows(opened: RecordSource, options: RecordingOptions): RecordSource {
  const windows = new RecordingWindows(options);
  async function* records() {
    // Whatever labels there are do not matter here.
    for await (const { stepLabels: _, ...recording } of opened.records) {
      if (recording.fault) yield recording;
      else yield* windows.of(recording);
    }
  }
  return {
    ...opened,
    records: records(),
    get notes() {
      return [...opened.notes ?? [], ...windows.notes];
    },
  };
}
