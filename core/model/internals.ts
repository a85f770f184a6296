/** What the library knows of a model beyond its public face. */

import { quote } from "../display.ts";
import { fail } from "../errors.ts";
import { type OptionSpec, ownOptions, resolveOptions } from "../options.ts";
import { checkLoss, LOSSES, type LossName, type LossOptions, type ResolvedLoss, resolveLoss } from "./losses.ts";
import type { NamedArray, StateDict } from "./arrays.ts";
import { batchSizes, type Sequences } from "./batch.ts";
import { layerOf, stepsAlong } from "./layers/node.ts";
import type { OutputMeaning } from "./meanings.ts";
import type { NetworkGradients, NetworkOutputs } from "./results.ts";
import type { RunOptions, RunTask, Session, TaskLoss } from "./session.ts";

/** A loss of one of several outputs. */
export interface WeightedLoss extends LossOptions {
  /** What it counts in the sum of all losses. Default 1. */
  weight?: number;
}

const WEIGHT: Record<string, OptionSpec> = {
  weight: { type: "number", optional: true, least: 0, above: true, about: "what it counts among several" },
};

/** Losses by output. */
export type Losses = Readonly<Record<string, WeightedLoss>>;

/** A model from inside: its session, and what its outputs mean. */
export class Internals {
  readonly session: Session;
  /** What was given with the model: it stays. */
  readonly #fixed: Readonly<Record<string, OutputMeaning>>;
  /** The losses of the trainer made last. */
  #trained: Losses | undefined;
  /** The tasks of predicting, by the loss. */
  readonly #predictions = new Map<string, RunTask>();

  /** Of a model of pairs: what tells the vocabularies that it was trained with from others, if that is known. */
  #vocabulary: string | undefined;

  /** What `forward` computes, and how it is handed out. */
  readonly forward: RunTask;
  readonly describe: (values: StateDict) => NetworkOutputs;

  constructor(
    session: Session,
    meanings: Readonly<Record<string, OutputMeaning>>,
    forward: RunTask,
    describe: (values: StateDict) => NetworkOutputs,
  ) {
    this.session = session;
    this.#fixed = meanings;
    this.forward = forward;
    this.describe = describe;
  }

  /** What a step computes, and takes no step. To be called within `exclusive`. */
  async gradients(
    sequences: Sequences,
    losses: readonly TaskLoss[],
    options: RunOptions,
  ): Promise<NetworkGradients> {
    const { session, forward: { values: names = [] } } = this, { net } = session;
    const { plan } = await session.run(sequences, { purpose: "gradients", losses, values: names }, options);
    const named = async (name: string) => [name, await session.array(plan.io.get(`${name}.grad`)!)] as const;
    const inputs = net.inputs.filter(({ outputs }) => outputs.output!.kind !== "tokens");
    const states = [...net.given.values()].filter(({ shape }) => shape.kind === "states");
    const [{ loss }, values, block, ...gradients] = await Promise.all([
      session.stats(plan)(),
      session.values(plan, names),
      session.device.read(plan.io.get("@gradients")!),
      ...[...inputs, ...net.embeddings].map(({ name }) => named(name)),
      ...states.map(({ name }) => named(name)),
    ]);
    const found: Record<string, NamedArray> = Object.fromEntries(gradients);
    for (const { name, sources } of net.embeddings) found[layerOf(sources.input!)] ??= found[name]!;
    if (net.firstState) found.h0 ??= found[net.firstState]!;
    return { loss, outputs: this.describe(values), parameters: session.named(block), inputs: found };
  }

  /** The outputs that may have a loss. */
  get outputs(): readonly string[] {
    return this.session.net.outputs;
  }

  /** What the outputs mean, as far as that is known. */
  get meanings(): Readonly<Record<string, OutputMeaning>> {
    const trained = Object.entries(this.#trained ?? {}).map(([output, { loss, quantiles }]) =>
      [output, { loss, ...quantiles && { quantiles } }] as const
    );
    return { ...Object.fromEntries(trained), ...this.#fixed };
  }

  /** The losses of the trainer made last, with their weights. */
  get trained(): Losses | undefined {
    return this.#trained;
  }

  /**
   * The only output, for what works with one alone.
   *
   * @throws {TypeError} If there are several.
   */
  only(action: string, advice = "step through batches with trainer.step, and read model.forward"): string {
    const [first, ...others] = this.outputs;
    if (first !== undefined && !others.length) return first;
    const problem = `the network has ${this.outputs.length} outputs, ${this.outputs.join(", ")}`;
    throw fail("wiring", action, problem, { advice });
  }

  /**
   * What an output means.
   *
   * @throws {TypeError} If that is not known.
   */
  meaning(action: string, output: string, given?: Partial<OutputMeaning>): OutputMeaning {
    if (given?.loss !== undefined) {
      checkLoss(given.loss, action);
      const { quantiles } = { ...this.meanings[output], ...given }, fixed = this.#fixed[output];
      if (fixed && LOSSES[fixed.loss].activation !== LOSSES[given.loss].activation) {
        const problem = `the model was made for the loss "${fixed.loss}", got "${given.loss}"`;
        throw fail("option-conflict", action, problem, { option: "loss", value: given.loss });
      }
      return { loss: given.loss, ...given.loss === "quantile" && { quantiles } };
    }
    const known = this.meanings[output];
    if (known) return known;
    throw fail("outputs-unknown-meaning", action, "the model does not know what its outputs mean", {
      name: output,
      advice: `pass { loss } with the loss that it was trained with: ${Object.keys(LOSSES).join(", ")}`,
    });
  }

  /** Checks losses against the model's meaning, and fills in their settings. */
  resolveLosses(action: string, losses: Losses): readonly TaskLoss[] {
    const entries = Object.entries(losses);
    if (!entries.length) {
      throw fail("option-missing", action, "losses must have one output or more", { option: "losses" });
    }
    return entries.map(([output, given]) => {
      const { size } = this.session.net.outputShape(action, output);
      if (typeof given !== "object" || given === null) {
        const problem = `the loss of output "${output}" must be { loss, … }, got ${quote(given)}`;
        throw fail("option-type", action, problem, { option: "losses", value: given });
      }
      const { weight, ...options } = ownOptions(action, given),
        own = resolveOptions(action, WEIGHT, { weight }) as { weight?: number };
      return { output, loss: this.#resolve(action, output, options, size), weight: own.weight };
    });
  }

  /**
   * The losses that the model was made for, of all outputs.
   *
   * @throws {TypeError} If one is not known.
   */
  knownLosses(action: string): Losses {
    const { outputs, meanings } = this, unknown = outputs.find((output) => !meanings[output]);
    if (unknown === undefined) return Object.fromEntries(outputs.map((output) => [output, meanings[output]!]));
    const names = outputs.map((name) => `"${name}"`).join(", ");
    const problem = `the network has the outputs ${names}, and no loss for "${unknown}"`;
    throw fail("outputs-unknown-meaning", action, problem, { name: unknown, advice: "pass losses, by output" });
  }

  /**
   * Checks gradients of outputs that come from outside; those of outputs left out are 0. What is behind a length never
   * matters.
   *
   * @throws {TypeError | RangeError} If one does not fit, or is not finite.
   */
  outputGradients(
    action: string,
    given: Readonly<Record<string, Float32Array>>,
    sequences: Sequences,
  ): Readonly<Record<string, Float32Array>> {
    const sizes = batchSizes(sequences), { B } = sizes;
    for (const name of Object.keys(given)) this.session.net.outputShape(action, name);
    return Object.fromEntries(this.outputs.map((output) => {
      const { size, kind, axis } = this.session.net.outputShape(action, output);
      const steps = kind === "steps" ? stepsAlong(axis, sizes) : 1, n = B * size * steps;
      const lengths = axis === undefined ? sequences.lengths : sequences.axes![axis]!.lengths;
      const gradient = Object.hasOwn(given, output) ? given[output] : new Float32Array(n);
      if (!(gradient instanceof Float32Array) || gradient.length !== n) {
        const problem = `the gradient of output "${output}" must be a Float32Array of ${n} numbers`;
        throw fail("batch-shape", action, problem, { name: output, value: gradient });
      }
      const bad = gradient.findIndex((d, i) => {
        const b = Math.floor(i / size / steps);
        return !Number.isFinite(d) && Math.floor(i / size) % steps < (lengths?.[b] ?? steps);
      });
      if (bad < 0) return [output, gradient];
      throw fail("not-finite", action, `the gradient of output "${output}" holds ${gradient[bad]} at ${bad}`, {
        name: output,
        value: gradient[bad],
      });
    }));
  }

  #resolve(action: string, output: string, options: LossOptions, size: number): ResolvedLoss {
    const fixed = this.#fixed[output];
    if (fixed && fixed.loss !== options.loss) {
      const problem = `the model was made for the loss "${fixed.loss}", got "${options.loss}"`;
      throw fail("option-conflict", action, problem, { option: "loss", value: options.loss });
    }
    const quantiles = options.quantiles ?? (options.loss === "quantile" ? fixed?.quantiles : undefined);
    if (fixed?.quantiles && String(fixed.quantiles) !== String(quantiles)) {
      const problem = `the model was made for the quantiles ${fixed.quantiles}, got ${quantiles}`;
      throw fail("option-conflict", action, problem, { option: "quantiles", value: quantiles });
    }
    return resolveLoss(action, { ...options, ...quantiles && { quantiles } }, size);
  }

  /** Takes over what the outputs meant to a trainer of before, where the model was not made for a loss. */
  remember(action: string, meanings: Readonly<Record<string, OutputMeaning>>): void {
    if (Object.keys(meanings).length) this.resolveLosses(action, meanings);
    this.#trained = meanings;
  }

  /** Of a model of pairs: what tells the vocabularies that it was trained with from others, if that is known. */
  get vocabulary(): string | undefined {
    return this.#vocabulary;
  }

  /**
   * Refuses pairs, or their preprocessing, of other vocabularies than the model was trained with, where both are known.
   *
   * @param keep Whether those of a model that has none yet are kept: it is trained with them.
   * @throws {RangeError} If they are others.
   */
  checkVocabulary(action: string, vocabulary: string | undefined, keep = false): void {
    const own = this.#vocabulary;
    if (keep) this.#vocabulary ??= vocabulary;
    if (vocabulary === undefined || own === undefined || own === vocabulary) return;
    const problem = "the vocabulary, or the scale of the numbers, is not the one that the model was trained with";
    const advice = "take the preprocessing that was saved with the model";
    throw fail("preprocessing-mismatch", action, problem, { name: "vocabulary", value: vocabulary, advice });
  }

  /** Takes possession of the optimizer state for a trainer. */
  claim(owner: unknown, losses: Losses): void {
    this.session.claim(owner);
    this.#trained = losses;
  }

  /** The task of predicting with these losses, and reading these values. The same each time. */
  predictionTask(activations: Readonly<Record<string, LossName>>, values: readonly string[]): RunTask {
    const key = JSON.stringify([activations, values]);
    let task = this.#predictions.get(key);
    if (!task) this.#predictions.set(key, task = { purpose: "predict", activations, values });
    return task;
  }
}
