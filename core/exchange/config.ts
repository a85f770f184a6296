import { fail } from "../errors.ts";
import { type ModelConfig, parameterList, resolveConfig } from "../model/config.ts";
import type { LossName } from "../model/head.ts";
import type { StateDict } from "../model/model.ts";

/** What a model needs to predict. */
export interface ModelFile {
  /** Its options. */
  readonly config: ModelConfig;
  /** Its parameters, under PyTorch's names. */
  readonly parameters: StateDict;
  /** The loss it was trained with: it says what the logits mean. Default: not known. */
  readonly loss?: LossName;
  /** What makes its inputs of raw data, and labels of its outputs: a pipeline as JSON. Default: none. */
  readonly preprocessing?: unknown;
}

/** The parameter that every model has; what stands before it stands before all. */
const FIRST = "gru.weight_ih_l0";

/**
 * The dict without what PyTorch's wrappers put before every name: "module." (DataParallel), "_orig_mod." (compile),
 * "model." and the like (a module within another).
 */
export function withoutPrefix(dict: StateDict): StateDict {
  const first = Object.keys(dict).find((name) => name.endsWith(`.${FIRST}`));
  const prefix = first?.slice(0, -FIRST.length);
  if (!prefix || !Object.keys(dict).every((name) => name.startsWith(prefix))) return dict;
  return Object.fromEntries(Object.entries(dict).map(([name, tensor]) => [name.slice(prefix.length), tensor]));
}

/**
 * The options of the model that a state dict belongs to, by its names and shapes. What leaves no trace there, dropout and
 * paddingIdx, is not in it.
 *
 * @param dict Parameters under the model's names, without a prefix.
 * @throws {TypeError} If a parameter is missing or unknown.
 * @throws {RangeError} If shapes do not fit together.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { configFromStateDict, createModel } from "@grutto/grutto";
 *
 * using model = await createModel({ inputSize: 5, hiddenSize: 10, outputSize: 2, numLayers: 2, bidirectional: true });
 * const { inputSize, numLayers, bidirectional } = configFromStateDict(await model.stateDict());
 * assert.deepEqual([inputSize, numLayers, bidirectional], [5, 2, true]);
 * ```
 */
export function configFromStateDict(dict: StateDict): ModelConfig {
  const has = (name: string) => Object.hasOwn(dict, name);
  const matrix = (name: string): [number, number] => {
    if (!has(name)) throw fail("state-dict-mismatch", FIND, `missing parameter "${name}"`, { name });
    const { shape } = dict[name]!;
    if (shape.length !== 2) {
      throw fail("state-dict-shape", FIND, `"${name}" must have two dimensions, got [${shape}]`, {
        name,
        value: shape,
      });
    }
    return shape as [number, number];
  };
  const [gates, inputSize] = matrix(FIRST), [outputSize] = matrix("fc.weight");
  if (gates % 3) {
    throw fail("state-dict-shape", FIND, `"${FIRST}" must have three rows per unit, got [${gates},${inputSize}]`, {
      name: FIRST,
    });
  }
  let numLayers = 1;
  while (has(`gru.weight_ih_l${numLayers}`)) numLayers++;
  const config: ModelConfig = {
    inputSize,
    hiddenSize: gates / 3,
    outputSize,
    numLayers,
    bidirectional: has(`${FIRST}_reverse`),
    bias: has("gru.bias_ih_l0"),
    ...has("embedding.weight") && { numEmbeddings: matrix("embedding.weight")[0] },
  };
  checkStateDict(dict, config);
  return config;
}

const FIND = "find the model of a state dict";

/**
 * Checks that a dict has the parameters of a config, and no others.
 *
 * @throws {TypeError} If a parameter is missing or unknown, or an option of the config is.
 * @throws {RangeError} If a shape or an option is out of range.
 */
export function checkStateDict(dict: StateDict, config: ModelConfig): void {
  const parameters = parameterList(resolveConfig(config)), known = new Set(parameters.map(({ name }) => name));
  const unknown = Object.keys(dict).find((name) => !known.has(name));
  for (const { name, shape } of parameters) {
    if (!Object.hasOwn(dict, name)) {
      const other = unknown === undefined ? "" : `; ${JSON.stringify(unknown)} is none of its parameters`;
      throw fail("state-dict-mismatch", FIND, `missing parameter "${name}"${other}`, { name });
    }
    const got = dict[name]!.shape;
    if (got.length !== shape.length || got.some((n, d) => n !== shape[d])) {
      throw fail("state-dict-shape", FIND, `"${name}" must have shape [${shape}], got [${got}]`, { name, value: got });
    }
  }
  if (unknown !== undefined) {
    throw fail("state-dict-mismatch", FIND, `unknown parameter ${JSON.stringify(unknown)}`, { name: unknown });
  }
}
