/** Whether the parts of a model file fit together. */

import { fail } from "../../errors.ts";
import { LOSSES, quantilesOf } from "../../model/losses.ts";
import { internalsOf, type NetworkModel } from "../../model/model.ts";
import { portsOf } from "../../model/pair_ports.ts";
import type { PairPipeline } from "../../data/pair_pipeline.ts";

/**
 * Checks that preprocessing makes what a model takes, and names what it gives: otherwise answers would be those to another
 * question. Preprocessing that is none of the library's is left to whoever wrote it.
 *
 * @param action What cannot be done if not: 'load checkpoint "best.json"'.
 * @throws {RangeError} If it does not.
 */
export async function checkPreprocessing(model: NetworkModel, stored: unknown, action: string): Promise<void> {
  const kind = (stored as { kind?: unknown } | null | undefined)?.kind;
  if (kind !== "sequences" && kind !== "forecast" && kind !== "pairs") return;
  const { restoreAny } = await import("../../data/preprocessing.ts");
  let made;
  try {
    made = restoreAny(stored);
  } catch {
    return; // Whoever uses it says what is wrong with it.
  }
  if (made.task === "seq2seq") return checkPairs(model, made, action);
  const { net } = internalsOf(model).session, { firstInput, resolved: { outputs } } = net;
  const refuse = (name: string, value: unknown, problem: string) => {
    throw fail("preprocessing-mismatch", action, `its preprocessing is for ${problem}`, { name, value });
  };
  const { kind: takes, size } = firstInput.outputs.output!, tokens = takes === "tokens";
  if (tokens !== made.numEmbeddings > 0) {
    refuse("inputs", kind, tokens ? "numbers, the model takes tokens" : "tokens, the model takes numbers");
  }
  const wanted = tokens ? made.numEmbeddings : made.inputSize, name = tokens ? "numEmbeddings" : "inputSize";
  const has = tokens ? model.config?.numEmbeddings : size;
  if (has !== undefined && has !== wanted) refuse(name, wanted, `${name} ${wanted}, the model has ${has}`);
  const [output, ...others] = Object.values(outputs), width = made.outputSize * (quantilesOf(model)?.length ?? 1);
  if (!output || others.length) return;
  if (output.shape.size !== width) {
    const has = output.shape.size;
    refuse("outputSize", width, `${width} outputs, the model has ${has}: label names would be those of others`);
  }
  const isOf = (loss: keyof typeof LOSSES) => LOSSES[loss].predicts === "probabilities";
  if (model.loss !== undefined && isOf(model.loss) !== isOf(made.loss)) {
    refuse("task", made.task, `the task ${made.task}, the model's loss is ${model.loss}`);
  }
}

/** The same of preprocessing of pairs. */
function checkPairs(model: NetworkModel, pipeline: PairPipeline, action: string): void {
  const internals = internalsOf(model), { sourceShape, targetShape } = portsOf(internals, action);
  const sizeOf = ({ kind, size }: typeof sourceShape) => ({ size, tokens: kind === "tokens" });
  const { length: Q } = quantilesOf(model) ?? [0], target = sizeOf(targetShape);
  pipeline.checkSizes(action, { source: sizeOf(sourceShape), target: { ...target, size: target.size / Q } });
  internals.checkVocabulary(action, pipeline.vocabulary);
}
