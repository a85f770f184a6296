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
  return config ?? configOfNetwork(network);
}

/** The config of a network, if it is one of every step; undefined for any other. */
export function stepConfig(network: Network): Readonly<FullConfig> | undefined {
  try {
    const config = configOfNetwork(network);
    return JSON.stringify(stepNetwork(config)) === JSON.stringify(network) ? config : undefined;
  } catch {
    // It lacks what such networks have.
    return undefined;
  }
}

/** The config that a network of every step was made of. */
function configOfNetwork(network: Network): Readonly<FullConfig> {
  const optionsOf = (type: string) => network.layers.find((layer) => layer.type === type)?.options ?? {};
  const cell = network.layers.some(({ type }) => type === "lstm") ? "lstm" : "gru";
  const { dropout: layerDropout, ...recurrent } = optionsOf(cell);
  return resolveConfig({
    ...recurrent,
    cell,
    layerDropout,
    inputSize: optionsOf("numbers").size,
    outputSize: optionsOf("linear").outFeatures,
    dropout: optionsOf("dropout").p,
  } as unknown as ModelConfig);
}
