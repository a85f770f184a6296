/** Modules of models from sequences to sequences: the program of their encoder and of a decoder's step, and what they say. */

import { PairPipeline } from "../../data/pair_pipeline.ts";
import type { StepScalerState } from "../../data/step_scaler.ts";
import { STRETCH, type TokenizerState, WORD } from "../../data/tokenizer.ts";
import { fail } from "../../errors.ts";
import { SEARCH_OPTIONS } from "../../model/beam.ts";
import { type FullDecoderOptions, sizesOf } from "../../model/layers/decoder_options.ts";
import type { Node } from "../../model/layers/node.ts";
import { pad4, type SingleLayer, type SingleStore } from "../../model/layers/single.ts";
import { portsOf } from "../../model/pair_ports.ts";
import { type ProgramText, programText } from "../../model/program_text.ts";
import { SinglePrograms } from "../../model/single_program.ts";
import { ACTION } from "../onnx.ts";
import { decoderSingle, statePorts } from "../../model/layers/decoder_single.ts";
import { calledFrom, feedsText, firstElement, type Source, type WasmForm } from "./source.ts";
import type { ModuleSubject } from "./subject.ts";
import { pairTypes } from "./types.ts";
import { json, type Words } from "./words.ts";

/** The program of a model, and what the functions over it are told. */
export interface PairProgram {
  readonly program: ProgramText;
  /** `$e(x)`: the source's steps, and what puts it in its place; `$d`: what `searched` and `ranFree` take. */
  readonly text: string;
}

type Decoder = Node<FullDecoderOptions>;

/** A layer that leaves no trace: what the decoder is fed is written by the host. */
const NOTHING = (): SingleLayer => ({ parts: { output: [] }, over: () => ({}) });

/**
 * The program of a model with a decoder.
 *
 * @throws {TypeError} If the network says anything but what its decoder does.
 */
export function pairProgram(source: Source, { net, values, output }: ModuleSubject, wasm: WasmForm): PairProgram {
  const { decoder: name } = portsOf({ session: { net } }, ACTION), decoder = net.node(name) as unknown as Decoder;
  if (net.resolved.outputs[output]!.source !== `${name}.output`) {
    throw fail("wiring", ACTION, `the output "${output}" is not what the decoder "${name}" puts out`, {
      name: output,
      advice: "keep the model as a checkpoint",
    });
  }
  const make = (node: Node, store: SingleStore, given: Parameters<typeof decoderSingle>[2]) =>
    node.name === name ? decoderSingle(node as unknown as Decoder, store, given) : NOTHING();
  const programs = new SinglePrograms(net, values, { output, loss: "mse" }, { action: ACTION }, () => make);
  const { H, E, O, tokens } = sizesOf(decoder), states = statePorts(decoder);
  const ports = ["fed", "weights", ...states, ...tokens ? ["table"] : []].map((port) => `${name}.${port}`);
  const program = programText(programs, values, firstElement(wasm), calledFrom(source, wasm, { inTurn: true }), {
    wanted: ports,
  });
  const own = { states: states.length, hidden: H, padded: pad4(H), size: O, ...tokens && { row: E, ld: pad4(E) } };
  const run = source.use(wasm === "none" ? "runPart" : "runPartFast"), told = json(own).slice(1, -1);
  const inputs = program.inputs.filter(({ isX }) => isX);
  const steps = `${source.use("stepsOf")}(x,${programs.width})`;
  const text = `$e=x=>[${steps},a=>{${feedsText(source, inputs)}}],$d={run:${run},${told}`;
  return { program: { ...program, inputs }, text };
}

/** What the functions of a model say, and what it says of itself. */
export function pairWords(source: Source, subject: ModuleSubject, { text }: PairProgram): Words {
  const { net, preprocessing, quantiles } = subject,
    { sourceShape, targetShape } = portsOf({ session: { net } }, ACTION);
  const pipeline = preprocessing === undefined ? undefined : pipelineOf(preprocessing);
  const sides = [["source", sourceShape], ["target", targetShape]] as const;
  const sizes = Object.fromEntries(
    sides.map(([name, { kind, size }]) => {
      const each = name === "target" ? quantiles?.length ?? 1 : 1;
      return [name, { size: size / each, tokens: kind === "tokens" }];
    }),
  );
  pipeline?.checkSizes(ACTION, sizes as unknown as Parameters<PairPipeline["checkSizes"]>[1]);
  const state = pipeline?.toJSON(), isTokens = sourceShape.kind === "tokens";
  const taken = sourceText(source, state?.source, isTokens, sourceShape.size, state?.maxLength ?? undefined);
  const isText = isTokens && state !== undefined;
  const open = `const${isText ? "[t,v]" : " v"}=${taken.read},[T,w]=$e(v);`;
  const answer = {
    ...isTokens ? { source: isText ? "text" as const : "tokens" as const } : { source: "steps" as const },
  };
  const info = { task: "seq2seq", input: isText ? "text" : isTokens ? "tokens" : "numbers", ...taken.info };
  if (targetShape.kind === "tokens") {
    const limits = limitsOf(state && 2 * state.longest), { target } = state ?? {};
    const more = isText ? ",sourceTokens:t" : "", found = `${source.use("searched")}($d,T,w,`;
    const own = target as TokenizerState | undefined;
    const search = own
      ? `(x,o)=>{${open}return ${found}${source.use("inNumbers")}(o,$t)).map(h=>({...${
        source.use("textAnswer")
      }(h,$t,` +
        `${joinText(source, own)}${isText ? ",o?.replaceUnknown===false?void 0:t" : ""})${more}}))}`
      : `(x,o)=>{${open}return ${found}o)${isText ? ".map(h=>({...h,sourceTokens:t}))" : ""}}`;
    return {
      constants: `${text},limits:${json(limits)}},${own ? `$t=${json(own.tokens)},` : ""}` +
        `${taken.constants}$s=${search}`,
      predict: "(x,o)=>$s(x,{...o,nBest:1})[0]",
      more: ",search=(x,o)=>$s(x,o)",
      info: { ...info, output: own ? "text" : "tokens" },
      types: pairTypes({ ...answer, target: own ? "text" : "tokens", isSearch: true }),
    };
  }
  const side =
    (state?.target ?? { size: targetShape.size / (quantiles?.length ?? 1), scaling: null }) as StepScalerState;
  const steps = state ? `o?.steps??${state.longest}` : "o?.steps";
  const begin = `${source.use("beginning")}(o?.start,$t,${quantiles?.length ?? 1})`;
  const answered = `${source.use("numberAnswer")}(${source.use("ranFree")}($d,T,w,${steps},${begin}),$t` +
    `${quantiles ? `,${json(quantiles)}` : ""})`;
  return {
    constants: `${text}},$t=${json({ size: side.size, scaling: side.scaling })},` +
      `${taken.constants}$s=(x,o)=>{${open}return ${isText ? `{...${answered},sourceTokens:t}` : answered}}`,
    predict: "(x,o)=>$s(x,o)",
    more: ",forecast=(x,o)=>$s(x,o)",
    info: { ...info, output: "numbers", outputs: side.size, ...quantiles && { quantiles }, steps: state?.longest },
    types: pairTypes({ ...answer, target: "steps", quantiles, stepsGiven: state !== undefined }),
  };
}

function pipelineOf(preprocessing: unknown): PairPipeline {
  if ((preprocessing as { kind?: unknown }).kind === "pairs") return PairPipeline.from(preprocessing);
  throw fail("preprocessing-mismatch", ACTION, "its preprocessing is not for pairs, the model has a decoder");
}

/** How a source is read: constants, an expression, and what `info` says of it. */
function sourceText(
  source: Source,
  state: TokenizerState | StepScalerState | undefined,
  isTokens: boolean,
  size: number,
  maxLength: number | undefined,
) {
  const most = maxLength === undefined ? "" : String(maxLength);
  if (!state) {
    const width = isTokens ? 1 : size, read = `${source.use("flat")}(x,${width})`;
    return { constants: "", read, info: isTokens ? {} : { width } };
  }
  if (state.unit === "numbers") {
    const own = json({ size: state.size, scaling: state.scaling });
    const cut = most && `.slice(0,${state.size * maxLength!})`;
    return { constants: `$p=${own},`, read: `${source.use("scaledSteps")}(x,$p)${cut}`, info: { channels: size } };
  }
  return {
    constants: `$v=${source.use("numbered")}(${json(state.tokens)}),$c=${cutText(source, state)},`,
    read: `${source.use("tokensOf")}(x,$c,$v${most && `,${most}`})`,
    info: { unit: state.unit },
  };
}

/** The function that cuts a text into tokens: see core/data/tokenizer.ts. */
function cutText(source: Source, { unit, normalize, merges }: TokenizerState): string {
  const plain = `t${unit === "words" || unit === "subwords" ? '.normalize("NFC")' : ""}` +
    (normalize === "lower" ? ".toLowerCase()" : "");
  switch (unit) {
    case "characters":
      return `t=>[...${plain}]`;
    case "spaces":
      return `t=>${plain}.split(/\\s+/).filter(Boolean)`;
    case "words":
      return `t=>${plain}.match(${WORD})??[]`;
    case "subwords":
      return `(s=>t=>(t=${plain})===""?[]:((" "+t).match(${STRETCH})??[]).flatMap(s))` +
        `(${source.use("subwords")}(${json(merges)}))`;
  }
}

/** The function that makes a text of tokens. */
function joinText(source: Source, { unit, joinsBefore, joinsBehind }: TokenizerState): string {
  switch (unit) {
    case "characters":
      return `t=>t.join("")`;
    case "spaces":
      return `t=>t.join(" ")`;
    case "words":
      return `t=>${source.use("spaced")}(t,${json(joinsBefore)},${json(joinsBehind)})`;
    case "subwords":
      return `t=>t.join("").replace(/^ /,"")`;
  }
}

/** The options of a search: default, least, most, and whether they are integers. */
function limitsOf(longest: number | undefined) {
  const { batchSize: _, ...options } = SEARCH_OPTIONS;
  return Object.fromEntries(
    Object.entries(options).map(([name, { type, default: usual, least, most }]) => {
      const own = name === "maxLength" && longest !== undefined ? longest : usual ?? null;
      return [name, [own, least, most, Number(type === "integer")]];
    }),
  );
}
