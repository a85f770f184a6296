import { fail } from "../errors.ts";
import type { Layer, LayerType, NodeShape } from "./layers/layer.ts";
import type { Node, Shape } from "./layers/node.ts";
import { INPUT_LAYERS, layerType } from "./layers/mod.ts";
import { layerOf, portOf } from "./layers/node.ts";
import { type Network, type ResolvedNetwork, resolveNetwork } from "./network.ts";
import { ParameterStore } from "./parameters.ts";

/** A tensor that may be given from outside besides the inputs: initial states, dropout masks. */
export interface Given {
  /** "gru.h0", "dropout.mask". */
  readonly name: string;
  readonly shape: Shape;
}

/** A network with a place in memory: its parameters, its packed weights, its layers. The same for every plan. */
export class PlacedNetwork {
  readonly network: Network;
  readonly resolved: ResolvedNetwork;
  readonly store: ParameterStore;
  readonly layers: readonly Layer[];
  /** What comes in. */
  readonly inputs: readonly Node[];
  /** The one that `Sequences.x` is: the first of steps, else the first. */
  readonly firstInput: Node;
  /** What `Sequences.h0` is, and `dropoutMask`: of the first layer that takes one. */
  readonly firstState: string | undefined;
  readonly firstMask: string | undefined;
  /** The embeddings, whose tables' gradients are added up after all blocks. */
  readonly embeddings: readonly Node[];
  /** The layers that read tokens. */
  readonly tokenReaders: readonly Node[];
  /** The names of the time axes besides that of `Sequences.shape`. */
  readonly axes: readonly string[];
  /** The names of the outputs that may have losses and be predicted: all but attention weights and final states. */
  readonly outputs: readonly string[];
  /** What may come in besides, by name. */
  readonly given: ReadonlyMap<string, Given>;
  /** Of these, what is neither an initial state nor a mask of dropout. */
  readonly givenInputs: readonly string[];

  constructor(network: Network, resolved: ResolvedNetwork = resolveNetwork(network)) {
    const { nodes, layout } = resolved;
    this.network = network;
    this.resolved = resolved;
    const store = this.store = new ParameterStore(layout);
    this.layers = nodes.map((node) => typeOf(node).place(node, store));
    this.inputs = nodes.filter(({ type }) => INPUT_LAYERS.includes(type));
    this.firstInput = this.inputs.find(({ type, axis }) => type !== "vector" && axis === undefined) ?? this.inputs[0]!;
    this.embeddings = nodes.filter(({ type }) => type === "embedding");
    this.tokenReaders = nodes.filter(({ inputs }) => Object.values(inputs).some(({ kind }) => kind === "tokens"));
    const axes = new Set(nodes.flatMap(({ outputs }) => Object.values(outputs).map(({ axis }) => axis)));
    this.axes = [...axes].filter((axis) => axis !== undefined);
    const outputs = Object.entries(resolved.outputs);
    this.outputs = outputs.filter(([, { shape: { kind } }]) => kind === "rows" || kind === "steps").map(([name]) =>
      name
    );
    this.given = new Map(
      nodes.flatMap((node) =>
        Object.entries(typeOf(node).given?.(node) ?? {}).map(([name, shape]) => {
          const full = `${node.name}.${name}`;
          return [full, { name: full, shape }];
        })
      ),
    );
    this.givenInputs = [...this.given.values()].filter(({ name, shape }) =>
      shape.kind !== "states" && !/mask$/i.test(name)
    ).map(({ name }) => name);
    const first = (kind: "states" | "mask") =>
      [...this.given.values()].find(({ name, shape }) =>
        kind === "states" ? shape.kind === kind : name.endsWith(".mask")
      );
    this.firstState = first("states")?.name;
    this.firstMask = first("mask")?.name;
  }

  /** The shape of a value: "layer.port". */
  shapeOf(source: string): Shape {
    return this.node(layerOf(source)).outputs[portOf(source)]!;
  }

  /**
   * The shape of an output that may have a loss.
   *
   * @throws {TypeError} If there is none of that name.
   */
  outputShape(action: string, output: string): Shape {
    const { outputs } = this.resolved, found = Object.hasOwn(outputs, output) && outputs[output]!.shape;
    if (found && this.outputs.includes(output)) return found;
    const problem = found
      ? `the output "${output}" is attention weights or final states, which have no loss and no prediction`
      : `the network has no output "${output}"`;
    const there = this.outputs.map((name) => `"${name}"`).join(", ") || "none";
    throw fail("wiring", action, `${problem}; there is ${there}`, { name: output });
  }

  /** A layer by name. */
  node(name: string): Node {
    return this.resolved.nodes.find((node) => node.name === name)!;
  }

  /** All values of a kind: "layer.port". */
  valuesOf(...kinds: readonly Shape["kind"][]): string[] {
    return this.resolved.nodes.flatMap(({ name, outputs }) =>
      Object.entries(outputs).filter(([, { kind }]) => kinds.includes(kind)).map(([port]) => `${name}.${port}`)
    );
  }

  /** The names of the layers whose outputs get a gradient: those with parameters before them, or with wanted inputs. */
  differentiable(inputs: boolean): ReadonlySet<string> {
    const found = new Set<string>();
    for (const node of this.resolved.nodes) {
      const own = (typeOf(node).parameters?.(node).length ?? 0) > 0;
      const wanted = inputs && this.inputs.includes(node) && node.outputs.output!.kind !== "tokens";
      const before = Object.values(node.sources).some((source) => found.has(layerOf(source)));
      if (own || wanted || before) found.add(node.name);
    }
    return found;
  }

  /** Multiply-adds of a step of one sequence, and the widest state. */
  get work(): { readonly products: number; readonly state: number } {
    const all = this.resolved.nodes.map((node) => typeOf(node).work?.(node as NodeShape<Record<string, unknown>>));
    return {
      products: all.reduce((sum, work) => sum + (work?.products ?? 0), 0),
      state: Math.max(0, ...all.map((work) => work?.state ?? 0)),
    };
  }
}

function typeOf({ type }: Node): LayerType {
  return layerType(type)!;
}
