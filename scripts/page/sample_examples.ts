/** Sequences of the sample job's data with what the model attends to. */

import type { Dataset } from "../../core/data/dataset.ts";
import type { TrainingData } from "../../core/job/training_data.ts";
import type { Model } from "../../core/job/training_run.ts";
import type { RunReport } from "../../core/report/run_report.ts";
import { predict } from "../../core/train/evaluate.ts";

/** The classes by what they are: whether the numbers of a sequence add up to more than 0. */
const CLASSES = ["sum above 0", "sum below 0"];

/** Sequences that are shown where nobody says which. */
const SHOWN = [0, 1, 2, 3, 4, 5, 6, 7];

/** Some of the validation data. */
export async function sampleExamples(
  model: Model,
  { watched, loss, hasAccuracy }: TrainingData,
  chosen: readonly number[] = SHOWN,
): Promise<Pick<RunReport, "attention" | "attentionNote">> {
  const { x, shape: [, T, I], targets } = watched as Dataset & { x: Float32Array }, size = T! * I!;
  if (!hasAccuracy) return {};
  const some = new Float32Array(chosen.length * size);
  chosen.forEach((place, k) => some.set(x.subarray(place * size, (place + 1) * size), k * size));
  const { outputs, attentionWeights } = await predict(model, { x: some, shape: [chosen.length, T!, I!] }, loss);
  const isClass = targets instanceof Int32Array;
  return {
    attentionNote: "The first sequences of the validation data.",
    attention: chosen.map((place, k) => {
      const values = outputs.data.subarray(2 * k, 2 * k + 2), rows = some.subarray(k * size, (k + 1) * size);
      return {
        title: `sequence ${place}`,
        prediction: CLASSES[values[0]! >= values[1]! ? 0 : 1]!,
        truth: CLASSES[isClass ? targets[place]! : targets[2 * place]! ? 0 : 1]!,
        weights: [...attentionWeights.data.subarray(k * T!, (k + 1) * T!)],
        values: Array.from({ length: T! }, (_, t) => [...rows.subarray(t * I!, (t + 1) * I!)]),
      };
    }),
  };
}
