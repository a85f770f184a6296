/** The network of jobs with a label for every step: recurrent layers, and a linear output at each step. */

import { type FullConfig, LOGITS, type ModelConfig, resolveConfig } from "../model/config.ts";
import { defineNetwork } from "../model/define.ts";
import type { NetworkModel } from "../model/model.ts";
import type { Network } from "../model/network.ts";

/** The network of a config, an output of every step in place of attention. */
export function stepNetwork(config: ModelConfig): Network {
  const { inputSize, hiddenSize, outputSize, cell, numLayers, dropout, layerDropout, bidirectional, bias } =
    resolveConfig(config);
  return defineNetwork((layers) => {
    const options = { hiddenSize, numLayers, dropout: layerDropout, bidirectional, bias };
    const { output } = layers[cell](cell, layers.numbers("x", inputSize), options);
    return { [LOGITS]: layers.linear("fc", layers.dropout(output, dropout, "dropout"), outputSize) };
  });
}

/** The config of a job's model: its own, or the one that its network of every step was made of. */
export function configOfModel({ config, network }: NetworkModel): Readonly<FullConfig> {
  if (config) return config;
  const optionsOf = (type: (name: string) => boolean) =>
    network.layers.find((layer) => type(layer.type))?.options ?? {};
  const cell = network.layers.some(({ type }) => type === "lstm") ? "lstm" : "gru";
  const { dropout: layerDropout, ...recurrent } = optionsOf((type) => type === cell);
  return resolveConfig({
    ...recurrent,
    cell,
    layerDropout,
    inputSize: optionsOf((type) => type === "numbers").size,
    outputSize: optionsOf((type) => type === "linear").outFeatures,
    dropout: optionsOf((type) => type === "dropout").p,
  } as unknown as ModelConfig);
}
