/** Values and layers of a network, as far as all of them are described. */

/**
 * What a value of a network is: "rows" (B, F), a row per sequence; "steps" (B, T, F), a row per step; "tokens" (B, T);
 * "weights" (B, T), attention weights; "states" (count, B, F), final states of recurrent layers. The last two only leave
 * the network.
 */
export type Kind = "rows" | "steps" | "tokens" | "weights" | "states";

/** The kind of a value and its width. */
export interface Shape {
  readonly kind: Kind;
  /** F; for tokens the size of the vocabulary. */
  readonly size: number;
  /** Of "states": layers · directions. */
  readonly count?: number;
}

/** Shapes by port. */
export type Shapes = Readonly<Record<string, Shape>>;

/** A layer of a network with everything resolved: options filled in, inputs found. */
export interface Node<Options = Record<string, unknown>> {
  /** Name of the layer; its parameters begin with it. */
  readonly name: string;
  /** Key of the table of layer types. */
  readonly type: string;
  readonly options: Options;
  /** What each input reads: "layer.port". */
  readonly sources: Readonly<Record<string, string>>;
  readonly inputs: Shapes;
  readonly outputs: Shapes;
  /** Its first stream of random numbers. */
  readonly stream: number;
  /** How many layers and network outputs read a value: "layer.port". */
  readonly uses: (source: string) => number;
}

/** The layer that a source, "layer.port", belongs to. */
export function layerOf(source: string): string {
  return source.slice(0, source.lastIndexOf("."));
}

/** The port of a source, "layer.port". */
export function portOf(source: string): string {
  return source.slice(source.lastIndexOf(".") + 1);
}
