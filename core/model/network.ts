/** Networks: graphs of layers, given as data. */

import { quote } from "../display.ts";
import { amend, errorCause, fail } from "../errors.ts";
import { type OptionSpec, resolveOptions } from "../options.ts";
import { besideName, type Kind, type Node, type Shape, type Shapes } from "./layers/node.ts";
import { INPUT_LAYERS, LAYERS, layerType } from "./layers/mod.ts";
import { layOutParameters, type ParameterLayout, type ParameterSpec } from "./parameters.ts";

/** A layer of a network, as files keep it. */
export interface LayerNode {
  /** Its kind: "gru". */
  readonly type: string;
  /** Its name, which its parameters' names begin with. */
  readonly name: string;
  /** What it reads, by port: "layer.port". Absent where it reads nothing. */
  readonly inputs?: Readonly<Record<string, string>>;
  /** Its options; what is absent has its default. */
  readonly options?: Readonly<Record<string, unknown>>;
}

/** A network as plain data: JSON. Made by {@linkcode defineNetwork}. */
export interface Network {
  /** Its layers, each after those that it reads. */
  readonly layers: readonly LayerNode[];
  /** What it puts out, by name: "layer.port". */
  readonly outputs: Readonly<Record<string, string>>;
}

/** A network with everything resolved and checked. */
export interface ResolvedNetwork {
  readonly nodes: readonly Node[];
  readonly outputs: Readonly<Record<string, { readonly source: string; readonly shape: Shape }>>;
  readonly layout: ParameterLayout;
}

const ACTION = "define network";

/** A complaint about a layer: "layer "gru": input must be steps (B, T, F), got rows (B, F): …". */
function wiring(name: string, problem: string, advice?: string): TypeError {
  return fail("wiring", ACTION, `layer "${name}": ${problem}`, { name, advice });
}

/** Kinds in words. */
const KINDS: Readonly<Record<Kind, string>> = {
  rows: "a row per sequence (B, F)",
  steps: "a row per step (B, T, F)",
  tokens: "tokens (B, T)",
  weights: "attention weights (B, T)",
  alignment: "attention weights of each step (B, U, T)",
  states: "final states (layers, B, H)",
};

/** What would make a value of another kind fit. */
function adviceFor(wanted: readonly Kind[], got: Kind): string {
  if (got === "tokens") return "put an embedding between them";
  if (got === "states") return 'read the layer\'s "state", or its "output", instead';
  if (got === "steps" && wanted.includes("rows")) {
    return "use attention, last, mean or max to make one row of all steps";
  }
  if (got === "rows" && wanted.includes("steps")) return "read a value of every step, such as a GRU's output";
  return `it takes ${wanted.map((kind) => KINDS[kind]).join(" or ")}`;
}

const NAME = /^(?!__proto__$)[A-Za-z_]\w*(\.\w+)*$/, PLAIN = /^(?!(__proto__|constructor|prototype)$)[A-Za-z_]\w*$/;

/**
 * Checks a network, and finds what its layers' shapes are.
 *
 * @throws {TypeError} With the layer's name, if layers do not fit one another.
 */
export function resolveNetwork(network: Network): ResolvedNetwork {
  const { layers, outputs } = network ?? {};
  const isObject = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);
  if (!Array.isArray(layers) || !layers.every(isObject) || !isObject(outputs)) {
    throw fail("wiring", ACTION, "it must be { layers, outputs }", { advice: "make it with defineNetwork" });
  }
  const values = new Map<string, Shape>(),
    uses = new Map<string, number>(),
    nodes: Node[] = [],
    names = new Set<string>();
  const all = new Set(layers.map(({ name }: LayerNode) => name));
  const read = (source: string) => uses.set(source, (uses.get(source) ?? 0) + 1);
  let stream = 0;
  for (const { type, name, inputs: sources = {}, options = {} } of layers as LayerNode[]) {
    if (typeof name !== "string" || !NAME.test(name)) {
      throw wiring(
        String(name),
        "its name must be letters, digits, _ and dots",
        'name it as PyTorch would, such as "fc"',
      );
    }
    if (names.has(name)) throw wiring(name, "another layer has the same name", "give each layer a name of its own");
    names.add(name);
    const parts = name.split("."),
      outer = parts.map((_, i) => parts.slice(0, i).join(".")).find((n) => n && all.has(n));
    if (outer !== undefined) {
      throw wiring(name, `its name is inside layer "${outer}", as if it were its parameter`, "rename one of them");
    }
    const kind = layerType(type);
    if (!kind) throw wiring(name, `there is no layer "${type}"`, `take one of ${Object.keys(LAYERS).join(", ")}`);
    const inputs = inputShapes(name, kind.inputs, sources, values, all);
    Object.values(sources).forEach(read);
    const full = layerOptions(name, kind.options, options), shape = { name, inputs, options: full };
    const axis = kind.manyAxes ? undefined : commonAxis(name, inputs) ?? full.axis as string | undefined;
    let made: Shapes;
    try {
      made = kind.outputs(shape);
    } catch (error) {
      throw wiring(name, (error as Error).message);
    }
    if (axis !== undefined) {
      made = Object.fromEntries(Object.entries(made).map(([port, value]) => [port, onAxis(value, axis)]));
    }
    for (const [port, value] of Object.entries(made)) values.set(`${name}.${port}`, value);
    nodes.push({ ...shape, type, sources, outputs: made, axis, stream, uses: (source) => uses.get(source) ?? 0 });
    stream += kind.streams?.(shape) ?? 0;
  }
  const resolved = Object.fromEntries(
    Object.entries(outputs).map(([name, source]) => {
      if (!PLAIN.test(name)) {
        const advice = 'name it as a variable, such as "logits"';
        throw fail("wiring", ACTION, `output "${name}": its name must be letters, digits and _`, { name, advice });
      }
      const shape = values.get(source as string);
      if (!shape) throw fail("wiring", ACTION, `output "${name}": there is no value "${source}"`, { name });
      if (shape.kind === "tokens") {
        throw fail("wiring", ACTION, `output "${name}": tokens cannot leave the network`, { name });
      }
      read(source as string);
      return [name, { source: source as string, shape }];
    }),
  );
  if (!Object.keys(resolved).length) throw fail("wiring", ACTION, "it has no outputs", { advice: "return a value" });
  if (!nodes.some(({ type }) => INPUT_LAYERS.includes(type))) {
    throw fail("wiring", ACTION, "it has no inputs", { advice: "begin with numbers, vector or tokens" });
  }
  for (const { name, outputs } of nodes) {
    if (Object.keys(outputs).some((port) => uses.has(`${name}.${port}`))) continue;
    throw wiring(name, "nothing reads it", "use one of its values, or leave the layer out");
  }
  return { nodes, outputs: resolved, layout: layOutParameters(specs(nodes)) };
}

/**
 * Refuses networks with layers that cannot do something, or with a second time axis.
 *
 * @throws {TypeError} With the layer's name.
 */
export function requireAll(
  action: string,
  nodes: readonly Node[],
  has: (type: string) => boolean,
  advice: string,
): void {
  const node = nodes.find(({ type, axis }) => axis !== undefined || !has(type));
  if (!node) return;
  const problem = node.axis === undefined
    ? `is of the type "${node.type}", which it cannot do`
    : `is along a second time axis`;
  throw fail("wiring", action, `the layer "${node.name}" ${problem}`, { name: node.name, advice });
}

/** Kinds of values that have steps. */
const STEPPED: readonly Kind[] = ["steps", "tokens", "weights"];

/** The time axis of a layer's inputs. */
function commonAxis(name: string, inputs: Shapes): string | undefined {
  const stepped = Object.entries(inputs).filter(([, { kind }]) => STEPPED.includes(kind)), [first] = stepped;
  const other = stepped.find(([, { axis }]) => axis !== first![1].axis);
  if (!other) return first?.[1].axis;
  const say = ([port, { axis }]: typeof other) =>
    `its input "${port}" is along ${axis ? `the axis "${axis}"` : "time"}`;
  throw wiring(name, `${say(first!)}, ${say(other)}`, "only a decoder reads values along different axes");
}

/** The same value along an axis, if it has steps. */
function onAxis(shape: Shape, axis: string): Shape {
  return STEPPED.includes(shape.kind) && shape.axis === undefined ? { ...shape, axis } : shape;
}

function inputShapes(
  name: string,
  ports: Readonly<Record<string, readonly Kind[]>>,
  sources: Readonly<Record<string, string>>,
  values: ReadonlyMap<string, Shape>,
  all: ReadonlySet<string>,
): Shapes {
  const any = ports["*"], shapes: Record<string, Shape> = {};
  for (const [i, port] of Object.keys(sources).entries()) {
    if (any && port !== String(i)) throw wiring(name, `it has no input "${port}"`, "its inputs are 0, 1, 2, …");
    if (!any && !Object.hasOwn(ports, port) && !Object.hasOwn(ports, `${port}?`)) {
      const known = Object.keys(ports).map((port) => port.replace("?", "")).join(", ");
      throw wiring(name, `it has no input "${port}"`, `its inputs are ${known || "none"}`);
    }
  }
  for (const key of any ? Object.keys(sources) : Object.keys(ports)) {
    const port = key.replace("?", ""), source = sources[port], wanted = any ?? ports[key]!;
    if (source === undefined && port !== key) continue;
    if (source === undefined) throw wiring(name, `its input "${port}" is missing`, adviceFor(wanted, "weights"));
    const shape = values.get(source);
    if (typeof source !== "string") {
      throw wiring(name, `its input "${port}" must be "layer.port", got ${quote(source)}`);
    }
    if (!shape) {
      const layer = source.slice(0, Math.max(0, source.lastIndexOf(".")));
      const problem = layer === name || all.has(layer) && !values.has(source)
        ? `its input "${port}" reads "${source}", which is not there before it`
        : `its input "${port}" reads "${source}", which does not exist`;
      throw wiring(name, problem, 'a layer reads layers before it, as "layer.port", and there are no loops');
    }
    if (!wanted.includes(shape.kind)) {
      const kinds = wanted.map((kind) => KINDS[kind]).join(" or ");
      throw wiring(
        name,
        `its input "${port}" must be ${kinds}, got ${KINDS[shape.kind]}`,
        adviceFor(wanted, shape.kind),
      );
    }
    shapes[port] = shape;
  }
  return shapes;
}

function layerOptions(
  name: string,
  specs: Readonly<Record<string, OptionSpec>>,
  given: object,
): Record<string, unknown> {
  try {
    return resolveOptions(ACTION, specs, given);
  } catch (error) {
    throw amend(error, { problem: `layer "${name}": ${errorCause(error)?.problem}` });
  }
}

function specs(nodes: readonly Node[]): (ParameterSpec & { readonly fullName: string })[] {
  const taken = new Set<string>();
  return nodes.flatMap((node) =>
    (layerType(node.type)!.parameters?.(node) ?? []).map((spec) => {
      const fullName = spec.beside ? besideName(node.name, spec.name) : `${node.name}.${spec.name}`;
      if (taken.has(fullName)) {
        throw wiring(node.name, `its parameter "${fullName}" is another layer's too`, "rename the other layer");
      }
      taken.add(fullName);
      return { ...spec, fullName, also: spec.also && besideName(node.name, spec.also) };
    })
  );
}
