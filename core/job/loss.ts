/** The loss of a training: the task's, or another that fits it. */

import { LOSS_NAMES, LOSS_SETTINGS, LOSSES, lossesLike, type LossName, type LossSettings } from "../model/losses.ts";
import type { OutputMeaning } from "../model/meanings.ts";
import { internalsOf, type Model } from "../model/model.ts";
import { flagFor, UsageError } from "./options.ts";

/** A loss and what was said about it, but for weights. */
export type ChosenLoss = LossSettings & { readonly loss: LossName };

/**
 * The loss that is asked for, or the task's own.
 *
 * @param training Options of the training; those that belong to losses are looked at.
 * @param fitting The task, and the loss it has where none is asked for.
 * @throws {UsageError} If it does not fit the task, or a setting belongs to another.
 */
export function chooseLoss(
  training: LossSettings & { readonly loss?: LossName },
  fitting: { readonly task?: string; readonly loss: LossName },
): ChosenLoss {
  const loss = training.loss ?? fitting.loss, fit = lossesLike(fitting.loss);
  if (fitting.task !== undefined && !fit.includes(loss)) {
    const binary = lossesLike("bce").includes(loss) && fitting.task === "multiclass";
    throw new UsageError(
      `--loss ${loss} does not fit the task ${fitting.task}: it must be ${fit.join(" or ")}` +
        (binary ? `, or with --one-hot or --task binary ${lossesLike("bce").join(" or ")}` : ""),
    );
  }
  for (const name of Object.keys(LOSS_SETTINGS) as (keyof LossSettings)[]) {
    if (training[name] === undefined || Object.hasOwn(LOSSES[loss].settings, name)) continue;
    const owners = LOSS_NAMES.filter((owner) => Object.hasOwn(LOSSES[owner].settings, name)).join(" or ");
    throw new UsageError(`--${flagFor("training", name)} belongs to --loss ${owners}, not to ${loss}`);
  }
  const chosen = { loss, ...settingsOf(training) };
  if (loss !== "quantile") return chosen;
  const { quantiles } = chosen;
  if (!quantiles) throw new UsageError("--loss quantile needs --quantiles, such as 0.1,0.5,0.9");
  if (quantiles.some((quantile, k) => k && quantile <= quantiles[k - 1]!)) {
    throw new UsageError(`--quantiles must rise, got ${quantiles.join(",")}`);
  }
  return chosen;
}

/** Those of some options that belong to losses. */
export function settingsOf(options: object): LossSettings {
  return Object.fromEntries(
    Object.entries(options).filter(([name, value]) => Object.hasOwn(LOSS_SETTINGS, name) && value !== undefined),
  );
}

export { LOSS_NAMES };

/**
 * What --loss says of the outputs of a model whose file does not.
 *
 * @param known The loss that the file says.
 * @throws {UsageError} If it says another.
 */
export function givenMeaning(
  command: string,
  { loss, quantiles }: LossSettings & { readonly loss?: LossName },
  file: string,
  known?: LossName,
): OutputMeaning | undefined {
  if (quantiles && loss !== "quantile") throw new UsageError("--quantiles belongs to --loss quantile");
  if (loss === undefined) return undefined;
  if (known === undefined) return { loss, ...quantiles && { quantiles } };
  if (known === loss && !quantiles) return undefined;
  throw new UsageError(`${command} takes no --${quantiles ? "quantiles" : "loss"}: "${file}" holds it, ${known}`);
}

/** Tells a model what its outputs mean, where --loss says it and its file does not; disposes of it where that fails. */
export function takeLoss(model: Model, command: string, given: Parameters<typeof givenMeaning>[1], file: string): void {
  try {
    const meaning = givenMeaning(command, given, file, model.loss), internals = internalsOf(model);
    if (meaning) internals.remember(command, { [internals.only(command)]: meaning });
  } catch (error) {
    model.dispose();
    throw error;
  }
}
