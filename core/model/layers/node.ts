/** Values and layers of a network, as far as all of them are described. */

/**
 * What a value of a network is: "rows" (B, F), a row per sequence; "steps" (B, T, F), a row per step; "tokens" (B, T);
 * "weights" (B, T), attention weights; "states" (count, B, F), final states of recurrent layers, which decoders begin
 * with; "alignment" (B, U, T), attention weights of every step of another axis. Weights and alignments only leave the
 * network.
 */
export type Kind = "rows" | "steps" | "tokens" | "weights" | "states" | "alignment";

/** The kind of a value and its width. */
export interface Shape {
  readonly kind: Kind;
  /** F; for tokens the size of the vocabulary. */
  readonly size: number;
  /** Of "states": layers · directions. */
  readonly count?: number;
  /** The time axis that its steps are along: none for that of `Sequences.shape`, else by its name. */
  readonly axis?: string;
  /** Of "alignment": the axis that is weighed. */
  readonly across?: string;
}

/** Sequences of a batch, and its steps: along the axis of `Sequences.shape`, and along others by their names. */
export interface Sizes {
  readonly B: number;
  readonly T: number;
  readonly axes?: Readonly<Record<string, number>>;
}

/** Steps along an axis. */
export function stepsAlong(axis: string | undefined, { T, axes }: Sizes): number {
  return axis === undefined ? T : axes![axis]!;
}

/** The dimensions of a value in the user's layout. */
export function dimensions({ kind, size, count = 1, axis, across }: Shape, sizes: Sizes): number[] {
  const { B } = sizes;
  if (kind === "rows") return [B, size];
  if (kind === "states") return [count, B, size];
  const T = stepsAlong(axis, sizes);
  return kind === "steps" ? [B, T, size] : kind === "alignment" ? [B, T, stepsAlong(across, sizes)] : [B, T];
}

/** Numbers of a value in the user's layout. */
export function elementsOf(shape: Shape, sizes: Sizes): number {
  return dimensions(shape, sizes).reduce((a, b) => a * b, 1);
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
  /** The time axis that the layer works along; none for that of `Sequences.shape`. */
  readonly axis?: string;
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

/** The name of a parameter beside a layer: "model.fc.weight" beside "model.decoder". */
export function besideName(layer: string, name: string): string {
  return `${layer.slice(0, layer.lastIndexOf(".") + 1)}${name}`;
}
