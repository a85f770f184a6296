/** What a module says: what it takes and gives, in the data's own words, as text. */

import type { LabelState } from "../../data/labels.ts";
import type { NumberInputs } from "../../data/numbers.ts";
import type { PipelineState } from "../../data/pipeline_state.ts";
import type { ForecastState } from "../../data/forecast_state.ts";
import { columnsOf } from "../../data/forecast_state.ts";
import { cutting } from "../../data/vocabulary.ts";
import type { Reading } from "../../data/readers/record.ts";
import type { VocabularyState } from "../../data/vocabulary.ts";
import { fail } from "../../errors.ts";
import { LOSSES } from "../../model/losses.ts";
import type { ProgramText } from "../../model/program_text.ts";
import { ACTION } from "../onnx.ts";
import { fittingPreprocessing } from "../onnx_data.ts";
import type { Source } from "./source.ts";
import type { ModuleSubject } from "./subject.ts";
import { amountTypes, type Answer, classTypes, labelTypes, plainTypes, recordOf } from "./types.ts";

/** The functions of a module as text, what it says of itself, and its types. */
export interface Words {
  /** Constants that the functions need, declared one after the other. */
  readonly constants: string;
  /** `predict`, of the network `$n`. */
  readonly predict: string;
  /** `start`, of `predict`; absent where steps do not come one by one. */
  readonly start?: string;
  /** Other exports, each behind a comma. */
  readonly more?: string;
  readonly info: Readonly<Record<string, unknown>>;
  readonly types: Answer;
}

/**
 * The words of a model.
 *
 * @throws {TypeError | RangeError} If its preprocessing is not that of such a model.
 */
export function wordsOf(source: Source, subject: ModuleSubject, program: ProgramText): Words {
  const { preprocessing, quantiles } = subject, x = program.inputs.find(({ isX }) => isX)!;
  if ((preprocessing as { kind?: unknown } | undefined)?.kind === "pairs") {
    throw fail("preprocessing-mismatch", ACTION, "its preprocessing is for pairs, the model has no decoder");
  }
  const sizes = { inputSize: x.size, numEmbeddings: x.table ? x.count : 0, outputSize: program.output.size };
  const given = fittingPreprocessing(preprocessing, sizes, quantiles?.length ?? 1), state = given?.toJSON();
  if (!state) return plainWords(source, subject, program);
  if (state.kind === "forecast") return forecastWords(source, state, subject, program);
  if (program.output.steps && !state.everyStep) {
    throw fail(
      "preprocessing-mismatch",
      ACTION,
      "its preprocessing is for one output of a sequence, the model has one at every step",
    );
  }
  return sequenceWords(source, state, subject, program);
}

/**
 * `predict` and `start` of numbers.
 *
 * @param shape The function that makes a sequence numbers.
 * @param said What is said of the outputs `o` and the weights `w`.
 * @param limits Least and most steps of a stream.
 */
function functions(
  source: Source,
  program: ProgramText,
  shape: string,
  said: string,
  constants = "",
  limits: readonly number[] = [],
): Pick<Words, "constants" | "predict" | "start"> {
  const others = program.inputs.filter(({ isX }) => !isX),
    names = json(others.flatMap((one) => one.once ? [] : [one.name]));
  if (program.isSteady) {
    const [more, all] = others.length ? ["(x,i)", ",i"] : ["x", ""], given = `$n,$x,$y,${program.output.size}`;
    return {
      constants: `${constants}$x=${shape},$y=([o,w])=>(${said})`,
      predict: `${more}=>(${source.use("enter")}(),$y($n($x(x)${all})))`,
      start: others.length ? `${source.use("steadyWith")}(${given},${names})` : `${source.use("steady")}(${given})`,
    };
  }
  return {
    constants: `${constants}$x=${shape}`,
    predict: `(x,i)=>{const[o,w]=$n($x(x),i);return${said}}`,
    start: others.length
      ? `${source.use("streamsWith")}(predict,${names})`
      : `${source.use("streams")}(${["predict", ...limits].join()})`,
  };
}

/** `attention` as a field of an answer, where there is some. */
function attention({ hasWeights }: ProgramText): string {
  return hasWeights ? ",attention:w" : "";
}

function plainWords(source: Source, { loss }: ModuleSubject, program: ProgramText): Words {
  const { inputs, output: { size, steps }, hasWeights } = program,
    { size: own, table } = inputs.find(({ isX }) => isX)!;
  const predicts = loss ? LOSSES[loss].predicts : "scores", width = table ? 1 : own;
  const outputs = steps ? `${source.use("rowsOf")}(o,${size})` : "o", flat = source.use("flat");
  return {
    ...functions(
      source,
      program,
      program.isSteady ? `(x,s)=>${flat}(s?x.slice(s):x,${width})` : `x=>${flat}(x,${width})`,
      `{${predicts}:${outputs}${attention(program)}}`,
    ),
    info: { predicts, input: table ? "tokens" : "numbers", width, outputs: size },
    types: plainTypes(predicts, { steps, hasWeights, inputs }),
  };
}

function sequenceWords(
  source: Source,
  { inputs, labels, everyStep, windows, reading }: PipelineState,
  { quantiles }: ModuleSubject,
  program: ProgramText,
): Words {
  const { hasWeights, output: { size } } = program, { names, task } = labels;
  const decode = decodeText(source, labels), own = { names, scaling: labels.scaling ?? undefined, quantiles };
  const labelConstant = `$d=${json(own)}`;
  const said = everyStep ? `steps:${source.use("rowsOf")}(o,${size}).map(r=>${decode}(r,$d))` : `...${decode}(o,$d)`;
  const answer = labelTypes(labels, quantiles), info = { task, ...infoOfLabels(labels, quantiles), everyStep, windows };
  if (inputs.kind === "tokens") {
    const { maxLength, tokens, unit } = inputs.vocabulary;
    return {
      constants: `${labelConstant},$v=${source.use("numbered")}(${json(tokens)}),$c=${cutText(inputs.vocabulary)}`,
      predict:
        `x=>{const[t,v]=${source.use("tokensOf")}(x,$c,$v${maxLength === null ? "" : `,${maxLength}`}),[o,w]=$n(v);` +
        `return{${said},tokens:t${attention(program)}}}`,
      info: { ...info, input: "text", unit },
      types: classTypes("string", answer, { everyStep, hasWeights, isText: true }),
    };
  }
  const { channels, names: columns, stepNames, patch } = inputs;
  const read = stepNames
    ? `${source.use("stepsIn")}(x,${json(stepNames)})`
    : `${source.use("rowsIn")}(x,${channels},$p.names)`;
  return {
    ...functions(
      source,
      program,
      program.isSteady
        ? `(x,s)=>(x=s?${source.use("newSteps")}(x,s,$r,$p):$r(x))&&${source.use("prepare")}(x,$p)`
        : `x=>${source.use("prepare")}(${read},$p)`,
      `{${said}${attention(program)}}`,
      `${labelConstant},$p=${json(numberText(inputs, windows?.window))},${program.isSteady ? `$r=x=>${read},` : ""}`,
      windows ? [windows.window, windows.window] : patch > 1 ? [patch] : [],
    ),
    info: {
      ...info,
      input: stepNames ? "row" : "steps",
      columns: stepNames ?? columns ?? undefined,
      channels,
      patch,
      ...tableInfo(reading),
    },
    types: classTypes(recordOf(columns ?? [], channels, stepNames), answer, {
      everyStep,
      hasWeights,
      isText: false,
      early: windows !== undefined || patch > 1,
    }),
  };
}

/** What of a pipeline's inputs `prepare` reads. */
function numberText(
  { channels, names, missing, means, patch, maxLength, scaling, precision }: NumberInputs,
  window: number | undefined,
) {
  return { channels, names: names ?? undefined, missing, means, patch, maxLength, scaling, precision, window };
}

/** The piece that makes an answer of outputs. */
function decodeText(source: Source, { task }: LabelState): string {
  return source.use(
    { binary: "eitherClass", multiclass: "oneClass", multilabel: "anyClasses", regression: "amounts" }[task],
  );
}

function infoOfLabels({ task, names }: LabelState, quantiles: readonly number[] | undefined) {
  return task === "regression" ? { values: names, quantiles } : { labels: names };
}

/** How the tables of the training were written, which a page reads others by. */
function tableInfo({ sequenceColumn, timeColumn, decimal, missingValues }: Partial<Reading> = {}) {
  return { sequenceColumn, timeColumn, decimal, missingValues };
}

/** The function that cuts a text into tokens. */
function cutText(vocabulary: VocabularyState): string {
  const { lower, words, without, dropped } = cutting({
    ...vocabulary,
    signs: vocabulary.signs ?? false,
    numbers: vocabulary.numbers ?? false,
  });
  const plain = lower ? "t.toLowerCase()" : "t";
  if (!words) return `t=>[...${plain}${dropped ? `.trim().normalize("NFD").replace(${dropped},"")` : ""}]`;
  return `t=>(${plain}.match(${words})??[])${without ? `.map(t=>t.replace(${without},""))` : ""}`;
}

function forecastWords(
  source: Source,
  state: ForecastState,
  { quantiles }: ModuleSubject,
  program: ProgramText,
): Words {
  const { targetColumns, featureColumns, window, horizon, transform, center, missing, means, scaling } = state;
  const columns = columnsOf(state), features = featureColumns.map((name) => columns.indexOf(name));
  const own = {
    columns,
    targetColumns,
    features,
    window,
    horizon,
    transform,
    center,
    missing,
    means,
    scaling,
    quantiles,
  };
  const rows = window + (transform === "none" ? 0 : 1);
  return {
    constants: `$f=${json(own)}`,
    predict: `x=>${source.use("forecast")}(x,$f,$n)`,
    start: `${source.use("rowStreams")}(predict,$f)`,
    info: {
      task: "forecast",
      input: "rows",
      columns,
      rows,
      horizon,
      values: targetColumns,
      quantiles,
      ...tableInfo(state.reading),
    },
    types: classTypes(recordOf(columns, columns.length), amountTypes(targetColumns, quantiles), {
      hasWeights: program.hasWeights,
      isText: false,
      horizon,
      early: true,
    }),
  };
}

/** JSON as it may stand in a script, within a page too. */
export function json(value: unknown): string {
  return JSON.stringify(value).replaceAll("</", "<\\/").replaceAll("<!--", "<\\!--").replaceAll("\u2028", "\\u2028");
}
