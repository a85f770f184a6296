/** Batches: what a model is given, and whether it fits the model. */

import { quote, spell } from "../display.ts";
import { fail } from "../errors.ts";
import { LANES } from "../device/kernels.ts";
import { groupsOf } from "./layers/layer.ts";
import { elementsOf, type Shape, type Sizes } from "./layers/node.ts";
import { LOSSES, type ResolvedLoss, targetWidth, weighsClassesItself } from "./losses.ts";
import type { PlacedNetwork } from "./placed_network.ts";

/** A batch of sequences. */
export interface Sequences {
  /**
   * The network's first input of steps: numbers (B, T, I), row-major, or tokens (B, T). A network without steps takes the
   * first vector (B, I) here, as one step.
   */
  readonly x: Float32Array | Int32Array;
  /** [B, T, I]; of tokens [B, T, 1]. */
  readonly shape: readonly [number, number, number] | readonly number[];
  /** Valid steps of each sequence (B), from 1 to T; what is behind them never matters. Default: all T. */
  readonly lengths?: Int32Array;
  /** Initial states of the first recurrent layer (layers·directions, B, H). Default: 0. */
  readonly h0?: Float32Array;
  /**
   * The network's other inputs, by name: numbers (B, T, I), tokens (B, T), vectors (B, I); and what else layers may be
   * given: "decoder.teacher" (B, U).
   */
  readonly inputs?: Readonly<Record<string, Float32Array | Int32Array>>;
  /** Other time axes that the network's inputs have, by name: how many steps, and the valid ones of each sequence (B). */
  readonly axes?: Readonly<Record<string, { readonly steps: number; readonly lengths?: Int32Array }>>;
  /** Initial states by name, such as "lstm.c0" (layers·directions, B, H). Default: 0. */
  readonly states?: Readonly<Record<string, Float32Array>>;
}

/** What is to be learned: numbers (B, O), or class numbers (B); for an output of every step (B, T, O) or (B, T). */
export type Targets = Float32Array | Int32Array;

/** A batch, checked. */
export interface CheckedBatch {
  readonly sizes: Sizes;
  /** The lengths along an axis, where there are some. */
  readonly lengthsAlong: (axis: string | undefined) => Int32Array | undefined;
  /** The inputs by name. */
  readonly inputs: readonly (readonly [name: string, data: Float32Array | Int32Array])[];
  /** What is given besides, by name; null where nothing is. */
  readonly given: Readonly<Record<string, Float32Array>> | null;
}

const ACTION = "run model";

function typed(name: string, value: unknown, type: "Float32Array" | "Int32Array", what = ""): void {
  if (value instanceof (type === "Int32Array" ? Int32Array : Float32Array)) return;
  const article = type === "Int32Array" ? "an" : "a";
  throw fail("batch-type", ACTION, `${name} must be ${article} ${type}${what}, got ${kindOf(value)}`, { name, value });
}

function length(name: string, array: ArrayLike<number>, expected: number): void {
  if (array.length === expected) return;
  throw fail("batch-shape", ACTION, `${name} must have ${expected} numbers, got ${array.length}`, {
    name,
    value: array.length,
  });
}

function kindOf(value: unknown): string {
  return value === null || value === undefined ? String(value) : (value as object).constructor?.name ?? typeof value;
}

/** What a batch's sizes are, of its sequences alone. */
export function batchSizes({ shape: [B, T], axes }: Sequences): Sizes {
  const entries = Object.entries(axes ?? {}).map(([axis, { steps }]) => [axis, steps]);
  return { B: B!, T: T!, ...entries.length && { axes: Object.fromEntries(entries) } };
}

/** Lengths from 1 to T of B sequences. */
function checkLengths(name: string, lengths: Int32Array, B: number, T: number): void {
  typed(name, lengths, "Int32Array");
  length(name, lengths, B);
  for (const n of lengths) {
    if (n >= 1 && n <= T) continue;
    throw fail("batch-value", ACTION, `${name} must be from 1 to ${T}, got ${spell(n)}`, { name, value: n });
  }
}

/** The steps and lengths of the axes besides that of the shape. */
function checkAxes(net: PlacedNetwork, axes: NonNullable<Sequences["axes"]>, B: number): void {
  for (const axis of net.axes) {
    const name = `axes.${axis}`, steps = axes[axis]?.steps;
    if (!Number.isInteger(steps) || steps! < 1) {
      const problem = `${name} must be { steps, lengths? } with steps from 1, got ${quote(axes[axis])}`;
      throw fail("batch-type", ACTION, problem, { name, value: axes[axis] });
    }
    const { lengths } = axes[axis]!;
    if (lengths !== undefined) checkLengths(`${name}.lengths`, lengths, B, steps!);
  }
  const unknown = Object.keys(axes).find((axis) => !net.axes.includes(axis));
  if (unknown === undefined) return;
  throw fail("batch-type", ACTION, `axes has "${unknown}", which is no time axis of the network`, { name: unknown });
}

/**
 * Checks that a batch fits a network.
 *
 * @throws {TypeError} If an array is missing or of the wrong kind.
 * @throws {RangeError} If an array does not fit its shape.
 */
export function checkBatch(
  net: PlacedNetwork,
  sequences: Sequences,
  masks?: Readonly<Record<string, Float32Array>>,
): CheckedBatch {
  if (typeof sequences !== "object" || sequences === null) {
    throw fail("batch-type", ACTION, `sequences must be { x, shape, … }, got ${spell(sequences)}`, {
      name: "sequences",
    });
  }
  const { x, shape, lengths, h0, axes = {}, inputs: others = {}, states } = sequences;
  const first = net.firstInput, { kind, size } = first.outputs.output!, tokens = kind === "tokens";
  const width = tokens ? 1 : size;
  typed("x", x, tokens ? "Int32Array" : "Float32Array", tokens ? " of tokens" : "");
  if (!Array.isArray(shape) || shape.length !== 3) {
    throw fail("batch-shape", ACTION, `shape must be [B, T, I], got ${spell(shape)}`, { name: "shape", value: shape });
  }
  const [B, T, I] = shape as [number, number, number];
  if (!(Number.isInteger(B) && Number.isInteger(T) && B >= 1 && T >= 1 && Number.isInteger(I) && I >= 1)) {
    throw fail("batch-shape", ACTION, `shape must be integers from 1, got [${spell(shape)}]`, {
      name: "shape",
      value: shape,
    });
  }
  if (I !== width) {
    const wanted = tokens ? "in 1, one token per step" : `in the inputSize ${width}`;
    throw fail("batch-shape", ACTION, `shape must end ${wanted}, got [${spell(shape)}]`, {
      name: "shape",
      value: shape,
    });
  }
  if (kind === "rows" && T !== 1) {
    throw fail("batch-shape", ACTION, `a network without steps takes one step, got [${spell(shape)}]`, {
      name: "shape",
      value: shape,
    });
  }
  length("x", x, B * T * width);
  if (lengths !== undefined) checkLengths("lengths", lengths, B, T);
  checkAxes(net, axes, B);
  const sizes = batchSizes(sequences);
  const inputs: [string, Float32Array | Int32Array][] = [[first.name, x]];
  for (const { name, outputs } of net.inputs) {
    if (name === first.name) continue;
    const data = others[name], shape = outputs.output!;
    typed(`inputs.${name}`, data, shape.kind === "tokens" ? "Int32Array" : "Float32Array");
    length(`inputs.${name}`, data!, elementsOf(shape, sizes));
    inputs.push([name, data!]);
  }
  const known = net.inputs.map(({ name }) => name).filter((name) => name !== first.name);
  const besides = net.givenInputs.filter((name) => Object.hasOwn(others, name));
  checkNames("inputs", others, [...known, ...net.givenInputs]);
  let given: Record<string, Float32Array> | null = null;
  const take = (what: string, name: string | undefined, data: Float32Array) => {
    typed(what, data, "Float32Array");
    const shape = name === undefined ? undefined : net.given.get(name)?.shape;
    if (!shape) throw fail("batch-type", ACTION, `${what}: the network has nothing that takes it`, { name: what });
    length(what, data, elementsOf(shape, sizes));
    (given ??= {})[name!] = data;
  };
  for (const name of besides) take(`inputs["${name}"]`, name, others[name] as Float32Array);
  if (h0 !== undefined) take("h0", net.firstState, h0);
  for (const [name, data] of Object.entries(states ?? {})) take(`states["${name}"]`, name, data);
  for (const [name, data] of Object.entries(masks ?? {})) {
    take("dropoutMask", name === "" ? net.firstMask : name, data);
  }
  const lengthsAlong = (axis: string | undefined) => axis === undefined ? lengths : axes[axis]!.lengths;
  return { sizes, lengthsAlong, inputs, given };
}

function checkNames(what: string, given: object, known: readonly string[]): void {
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const problem = `${what} has "${unknown}", which is no input; there ${known.length === 1 ? "is" : "are"} ${
    known.map((name) => `"${name}"`).join(", ") || "none besides x"
  }`;
  throw fail("batch-type", ACTION, problem, { name: unknown });
}

/** What a loss is computed from. */
export interface LossBatch {
  readonly loss: ResolvedLoss;
  readonly targets: Targets | undefined;
  /** How much each sequence counts (B). */
  readonly weights?: Float32Array;
}

/** The rows' weights as kernels take them, and their sum. */
export interface RowWeights {
  readonly weight: number;
  /** Absent where all rows count the same. */
  readonly rows?: Float32Array;
}

/**
 * Checks targets and weights of a loss, and says what each row of a batch counts: its sequence's weight times that of its
 * class. Rows are sequences; for an output of every step all valid steps of the batch.
 *
 * @throws {TypeError | RangeError} If targets or weights do not fit.
 */
export function checkTargets(
  { loss: { loss, classWeights, settings }, targets, weights }: LossBatch,
  { kind, size: O }: Shape,
  [B, T]: readonly [B: number, T: number],
  lengths: Int32Array | undefined,
): RowWeights {
  const classes = LOSSES[loss].targets === "classes", steps = kind === "steps";
  if (classes ? !(targets instanceof Int32Array) : !(targets instanceof Float32Array)) {
    const wanted = classes ? "an Int32Array" : "a Float32Array";
    throw fail("batch-type", ACTION, `targets of "${loss}" must be ${wanted}, got ${kindOf(targets)}`, {
      name: "targets",
      value: targets,
    });
  }
  const width = targetWidth(loss, O, settings);
  length("targets", targets!, B * width * (steps ? T : 1));
  const valid = (b: number) => steps ? lengths?.[b] ?? T : 1;
  if (classes) {
    for (let b = 0, row = 0; b < B; b++, row += steps ? T : 1) {
      for (let i = row; i < row + valid(b); i++) {
        if (targets![i]! >= 0 && targets![i]! < O) continue;
        throw fail("batch-value", ACTION, `targets must be classes from 0 to ${O - 1}, got ${targets![i]}`, {
          name: "targets",
          value: targets![i],
        });
      }
    }
  }
  if (LOSSES[loss].activation === "sigmoid") {
    for (let b = 0, row = 0; b < B; b++, row += width * (steps ? T : 1)) {
      for (let i = row; i < row + width * valid(b); i++) {
        if (targets![i]! >= 0 && targets![i]! <= 1) continue;
        throw fail("batch-value", ACTION, `targets of "${loss}" must be from 0 to 1, got ${targets![i]}`, {
          name: "targets",
          value: targets![i],
          advice: 'for other numbers use "mse" or "huber"',
        });
      }
    }
  }
  if (weights !== undefined) {
    typed("weights", weights, "Float32Array");
    length("weights", weights, B);
    const bad = weights.findIndex((weight) => !(weight >= 0 && weight < Infinity));
    if (bad >= 0) {
      throw fail("batch-value", ACTION, `weights must be numbers from 0, got ${weights[bad]} at ${bad}`, {
        name: "weights",
        value: weights[bad],
      });
    }
  }
  if (!weights && !classWeights && !steps) return { weight: B };
  const rows = new Float32Array(steps ? B * T : groupsOf(B) * LANES), itself = weighsClassesItself(loss, settings);
  let sum = 0;
  for (let b = 0, row = 0; b < B; b++, row += steps ? T : 1) {
    for (let i = row; i < row + valid(b); i++) {
      const own = weights ? weights[b]! : 1, counts = classWeights ? own * classWeights[targets![i]!]! : own;
      rows[i] = itself ? own : counts;
      sum += counts;
    }
  }
  // A batch of nothing but weights of 0 has a loss of 0.
  const count = steps ? B * T : B;
  if (sum > 0) { for (let i = 0; i < count; i++) rows[i]! *= count / sum; }
  return { weight: sum, rows };
}
