/** Where a network with a decoder takes sources and targets. */

import { fail } from "../errors.ts";
import { layerOf, type Shape } from "./layers/node.ts";
import type { PlacedNetwork } from "./placed_network.ts";

/** Where a network takes pairs. */
export interface Ports {
  /** The input of the targets and their time axis; the input that is fed first, of numbers. */
  readonly targets: string;
  readonly axis: string;
  /** The decoder. */
  readonly decoder: string;
  readonly start?: string;
  readonly sourceShape: Shape;
  readonly targetShape: Shape;
  /** What says where it is fed targets. */
  readonly teacher: string;
}

/**
 * The inputs that a network's decoder reads.
 *
 * @throws {TypeError} If it has no decoder whose targets come in, several, or inputs besides.
 */
export function portsOf(
  { session: { net } }: {
    readonly session: { readonly net: Pick<PlacedNetwork, "resolved" | "inputs" | "firstInput"> };
  },
  action: string,
): Ports {
  const decoders = net.resolved.nodes.filter(({ type }) => type === "decoder"), [decoder] = decoders;
  const refuse = (problem: string) => fail("wiring", action, problem, { advice: "step through batches yourself" });
  if (decoders.length !== 1) throw refuse(`pairs are for a network with one decoder, it has ${decoders.length}`);
  const { name, sources, inputs, options } = decoder!, targets = layerOf(sources.targets!);
  const start = sources.start && layerOf(sources.start), comeIn = net.inputs.map((node) => node.name);
  if (!options.shift || !comeIn.includes(targets) || inputs.targets!.axis === undefined) {
    throw refuse(`the decoder "${name}" must shift, and read its targets from an input along an axis of their own`);
  }
  const known = [net.firstInput.name, targets, ...start !== undefined ? [start] : []];
  const other = comeIn.find((input) => !known.includes(input));
  if (other !== undefined) throw refuse(`the network has the input "${other}" besides sources, targets and start`);
  return {
    targets,
    axis: inputs.targets!.axis,
    decoder: name,
    ...start !== undefined && comeIn.includes(start) && { start },
    sourceShape: net.firstInput.outputs.output!,
    targetShape: inputs.targets!,
    teacher: `${name}.teacher`,
  };
}
