/** What the library knows of a model beyond its public face. */

import { fail } from "../errors.ts";
import {
  checkLoss,
  LOSSES,
  type LossName,
  type LossOptions,
  type LossSettings,
  type ResolvedLoss,
  resolveLoss,
} from "./losses.ts";
import type { NamedArray, StateDict } from "./arrays.ts";
import type { Sequences } from "./batch.ts";
import { layerOf } from "./layers/node.ts";
import type { NetworkGradients, NetworkOutputs } from "./results.ts";
import { dimensions, type RunOptions, type RunTask, type Session, type TaskLoss } from "./session.ts";

/** What an output means: the loss it was trained with, and its quantiles if it has some. */
export interface OutputMeaning extends Pick<LossSettings, "quantiles"> {
  /** The loss. */
  readonly loss: LossName;
}

/** A loss of one of several outputs. */
export interface WeightedLoss extends LossOptions {
  /** What it counts in the sum of all losses. Default 1. */
  weight?: number;
}

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
    const { session, forward: { values: names = [] } } = this, { net } = session, [B, T] = sizesOf(sequences);
    const { plan } = await session.run(sequences, { purpose: "gradients", losses, values: names }, options);
    const named = async (name: string, shape: Parameters<typeof dimensions>[0]) =>
      [name, await session.array(plan.io.get(`${name}.grad`)!, dimensions(shape, B, T))] as const;
    const inputs = net.inputs.filter(({ outputs }) => outputs.output!.kind !== "tokens");
    const states = [...net.given.values()].filter(({ shape }) => shape.kind === "states");
    const [{ loss }, values, block, ...gradients] = await Promise.all([
      session.stats(plan)(),
      session.values(plan, names, [B, T]),
      session.device.read(plan.io.get("gradients")!),
      ...[...inputs, ...net.embeddings].map(({ name, outputs }) => named(name, outputs.output!)),
      ...states.map(({ name, shape }) => named(name, shape)),
    ]);
    const found: Record<string, NamedArray> = Object.fromEntries(gradients);
    for (const { name, sources } of net.embeddings) found[layerOf(sources.input!)] ??= found[name]!;
    if (net.firstState) found.h0 = found[net.firstState]!;
    return { loss, outputs: this.describe(values), parameters: session.named(block), inputs: found };
  }

  /** The names of the network's outputs. */
  get outputs(): readonly string[] {
    return Object.keys(this.session.net.resolved.outputs);
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
  only(action: string): string {
    const [first, ...others] = this.outputs;
    if (!others.length) return first!;
    const problem = `the network has ${this.outputs.length} outputs, ${this.outputs.join(", ")}`;
    throw fail("wiring", action, problem, { advice: "step through batches with trainer.step, and read model.forward" });
  }

  /**
   * What an output means.
   *
   * @throws {TypeError} If that is not known.
   */
  meaning(action: string, output: string, given?: Partial<OutputMeaning>): OutputMeaning {
    if (given?.loss !== undefined) {
      checkLoss(given.loss, action);
      const { quantiles } = { ...this.meanings[output], ...given };
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
    return Object.entries(losses).map(([output, { weight, ...options }]) => {
      const found = this.session.net.resolved.outputs[output];
      if (!found) {
        const problem = `the network has no output "${output}", but ${
          this.outputs.map((name) => `"${name}"`).join(", ")
        }`;
        throw fail("wiring", action, problem, { name: output });
      }
      if (weight !== undefined && !(weight > 0 && weight < Infinity)) {
        throw fail("argument-out-of-range", action, `the weight of a loss must be above 0, got ${weight}`, {
          name: "weight",
          value: weight,
        });
      }
      return { output, loss: this.#resolve(action, output, options, found.shape.size), weight };
    });
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
    this.resolveLosses(action, meanings);
    this.#trained = meanings;
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

/** Sequences and steps of a batch. */
export function sizesOf({ shape: [B, T] }: Sequences): [number, number] {
  return [B!, T!];
}
