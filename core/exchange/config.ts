import { checkStateDict, type StateDict } from "../model/arrays.ts";
import { type ModelConfig, networkOf } from "../model/config.ts";
import { spell } from "../display.ts";
import { checkArgument, fail } from "../errors.ts";
import type { OutputMeaning } from "../model/meanings.ts";
import { type CellName, CELLS } from "../model/layers/cells.ts";
import type { LossName } from "../model/losses.ts";
import { type Network, resolveNetwork } from "../model/network.ts";

/** What a model needs to predict: a config or a network, and parameters. */
export interface ModelFile {
  /** Options of the ready-made model. */
  readonly config?: ModelConfig;
  /** A network of your own, in place of a config. */
  readonly network?: Network;
  /** Its parameters, under PyTorch's names. */
  readonly parameters: StateDict;
  /** The loss it was trained with: it says what the outputs mean. Default: the config's, else not known. */
  readonly loss?: LossName;
  /** What the outputs of a network mean, by name. */
  readonly meanings?: Readonly<Record<string, OutputMeaning>>;
  /** Names in the file that are none of the model's, such as the weights of its loss. */
  readonly leftOut?: readonly string[];
  /** What makes its inputs of raw data, and labels of its outputs: a pipeline as JSON. Default: none. */
  readonly preprocessing?: unknown;
}

/** The parameter that every ready-made model has; what is before it is before all. */
const FIRSTS = (Object.keys(CELLS) as CellName[]).map((cell) => ({ cell, first: `${cell}.weight_ih_l0` }));

/** What a training keeps in a state dict beside the model: its loss, and what it measures. */
const BESIDE =
  /^(criterion|loss|losses|loss_fn|loss_func|loss_function|objective|(\w+_)?metrics?|(\w+_)?(acc|accuracy|f1|auroc))\./;

/**
 * The model in a state dict, without what PyTorch's wrappers put before every name: "module." (DataParallel), "_orig_mod."
 * (compile), "model." and the like (a module within another). What comes with it, such as the weights of the loss, is
 * left out.
 *
 * @returns The parameters, and the names that were left out.
 * @throws {TypeError} If there are several such models.
 */
export function modelIn(dict: StateDict): { readonly parameters: StateDict; readonly leftOut: readonly string[] } {
  const names = Object.keys(dict);
  const prefixes = [
    ...new Set(
      FIRSTS.flatMap(({ first }) =>
        names.filter((name) => name === first || name.endsWith(`.${first}`)).map((name) => name.slice(0, -first.length))
      ),
    ),
  ];
  if (prefixes.length > 1 && !prefixes.includes("")) {
    const list = prefixes.map((prefix) => `"${prefix}"`).join(", ");
    throw fail("state-dict-mismatch", FIND, `there are several, under ${list}: save one of them by itself`);
  }
  // Without a prefix, only the name tells what comes with the model and what belongs to it.
  const prefix = prefixes.includes("") ? "" : prefixes[0] ?? "",
    own = prefix === "" ? (name: string) => !BESIDE.test(name) : (name: string) => name.startsWith(prefix);
  return {
    parameters: Object.fromEntries(names.filter(own).map((name) => [name.slice(prefix.length), dict[name]!])),
    leftOut: names.filter((name) => !own(name)),
  };
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
  checkArgument(FIND, "dict", dict, []);
  const has = (name: string) => Object.hasOwn(dict, name);
  const matrix = (name: string): [number, number] => {
    if (!has(name)) throw fail("state-dict-mismatch", FIND, `missing parameter "${name}"`, { name });
    const { shape } = dict[name] ?? {} as { shape?: unknown };
    if (!Array.isArray(shape) || shape.length !== 2) {
      throw fail("state-dict-shape", FIND, `"${name}" must have two dimensions, got [${spell(shape)}]`, {
        name,
        value: shape,
      });
    }
    return shape as number[] as [number, number];
  };
  const { cell, first } = FIRSTS.find(({ first }) => has(first)) ?? FIRSTS[0]!, { gates } = CELLS[cell];
  const [rows, inputSize] = matrix(first), [outputSize] = matrix("fc.weight");
  if (rows % gates) {
    throw fail("state-dict-shape", FIND, `"${first}" must have ${gates} rows per unit, got [${rows},${inputSize}]`, {
      name: first,
    });
  }
  let numLayers = 1;
  while (has(`${cell}.weight_ih_l${numLayers}`)) numLayers++;
  const config: ModelConfig = {
    inputSize,
    hiddenSize: rows / gates,
    outputSize,
    ...cell !== "gru" && { cell },
    numLayers,
    bidirectional: has(`${first}_reverse`),
    bias: has(`${cell}.bias_ih_l0`),
    ...has("embedding.weight") && { numEmbeddings: matrix("embedding.weight")[0] },
  };
  checkModelFile({ config, parameters: dict });
  return config;
}

const FIND = "find the model of a state dict";

/**
 * Checks that a model's parameters are those of its config or network, and no others.
 *
 * @throws {TypeError} If a parameter is missing or unknown, or an option of the config is.
 * @throws {RangeError} If a shape or an option is out of range.
 */
export function checkModelFile(file: ModelFile): void {
  checkStateDict(FIND, file.parameters, resolveNetwork(networkOf(file)).layout.list);
}
