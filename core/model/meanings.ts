/** What outputs mean: the loss that a model is made for. */

import { fail } from "../errors.ts";
import type { ModelConfig } from "./config.ts";
import { type LossName, type LossOptions, type LossSettings, resolveLoss } from "./losses.ts";
import type { PlacedNetwork } from "./placed_network.ts";

/** What an output means: the loss it was trained with, and its quantiles if it has some. */
export interface OutputMeaning extends Pick<LossSettings, "quantiles"> {
  /** The loss. */
  readonly loss: LossName;
}

/** A loss as it is given beside a config or a network: of the only output, or by output. */
export interface GivenLoss {
  /** The loss, or those of several outputs by name. */
  readonly loss?: LossName | Readonly<Record<string, LossName | OutputMeaning>>;
  /** For the loss "quantile": the quantiles it predicts. */
  readonly quantiles?: readonly number[];
}

/** A config with the loss that was given beside it. */
export function withLoss(
  config: ModelConfig,
  { loss, quantiles }: GivenLoss,
): ModelConfig {
  const given = { ...loss !== undefined && { loss: loss as LossName }, ...quantiles && { quantiles } };
  if (loss !== undefined && config?.loss !== undefined && config.loss !== loss) {
    const problem = `loss is "${config.loss}" in the config and "${loss}" in the options`;
    throw fail("option-conflict", "create model", problem, { option: "loss", value: loss });
  }
  return Object.keys(given).length ? { ...config, ...given } : config;
}

/** What each output means, checked. */
export function resolveMeanings(
  net: PlacedNetwork,
  { loss, quantiles }: GivenLoss,
): Readonly<Record<string, OutputMeaning>> {
  const action = "create model", { outputs } = net;
  if (loss === undefined || loss === null) {
    if (quantiles === undefined) return {};
    throw fail("option-conflict", action, `quantiles belong to the loss "quantile"`, { option: "quantiles" });
  }
  if (typeof loss !== "object" && outputs.length > 1) {
    const problem = `loss must be given for each output, { ${outputs.join(", ")} }, got "${loss}"`;
    throw fail("option-type", action, problem, { option: "loss", value: loss });
  }
  const given = typeof loss === "object" ? Object.entries(loss) : [[outputs[0]!, { loss, quantiles }] as const];
  return Object.fromEntries(given.map(([output, meaning]) => {
    const options: LossOptions & LossSettings = typeof meaning === "string" ? { loss: meaning } : { ...meaning };
    const { settings } = resolveLoss(action, options, net.outputShape(action, output).size);
    return [output, { loss: options.loss, ...settings.quantiles && { quantiles: settings.quantiles } }];
  }));
}
