/**
 * The page's worker: reads data, trains, and makes all that the page shows. It is started from a blob, so that the page's
 * policy holds for it too: it cannot send anything to anybody.
 *
 * @module
 */

import "./turns.ts";
import { learningNotes } from "../../core/job/learning.ts";
import { configOfModel } from "../../core/job/step_network.ts";
import { isPairConfig } from "../../core/job/training_data.ts";
import { inWords } from "../../core/job/score_words.ts";
import { plural } from "../../core/job/words.ts";
import { alignmentsSection } from "../../core/report/alignments.ts";
import { attentionSection } from "../../core/report/attention.ts";
import { classesSection } from "../../core/report/classes.ts";
import { curveGrid, trainingSection } from "../../core/report/curves.ts";
import { forecastsSection, regressionsSection } from "../../core/report/forecasts.ts";
import { tiles } from "../../core/report/html_report.ts";
import { type Content, el, render } from "../../core/report/markup.ts";
import type { RunReport } from "../../core/report/run_report.ts";
import { commandOf, FOLDER, resumeCommand } from "./command.ts";
import { Data, type Dropped } from "./data.ts";
import { dataFields, trainingFields } from "./fields.ts";
import type { FromWorker, Phase, Region, ToWorker } from "./protocol.ts";
import { SAMPLES } from "./samples.ts";
import type { Role } from "./table.ts";
import { type Ended, PageTraining } from "./training.ts";
import { understood } from "./understood.ts";
import { wrongOf } from "./words.ts";

const scope = globalThis as unknown as {
  postMessage(message: FromWorker): void;
  onmessage: (event: { readonly data: ToWorker }) => void;
  navigator: { readonly gpu?: { requestAdapter(): Promise<unknown> } };
};

/** Milliseconds between words about progress. */
const PROGRESS = 100;

let data: Data | undefined, training: PageTraining | undefined, isRunning = false, hasGpu = false, isCalm = false;
/** What is done one after the other: reading waits for reading. */
let queue: Promise<void> = Promise.resolve();
/** Counts what makes readings under way obsolete. */
let version = 0;

const say = (message: FromWorker) => scope.postMessage(message);
const phase = (phase: Phase, said: string) => say({ type: "phase", phase, said });

/** What stands in each region: what is the same need not be put there again. */
const shown = new Map<Region, string>();

function put(region: Region, content: Content, moves = false): void {
  const all = render(content);
  // While pictures move, nobody reads numbers off them with a pointer.
  const html = moves ? all.replaceAll(/<g class="stop">.*?<\/g>/gs, "") : all;
  if (shown.get(region) === html) return;
  shown.set(region, html);
  say({ type: "put", region, html });
}

/** Reads the data as the form says, and shows what was understood. */
async function read(): Promise<void> {
  const own = ++version;
  queue = queue.then(async () => {
    if (own !== version || !data) return;
    phase("reading", "Reading the data …");
    let wrong: ReturnType<typeof wrongOf> | undefined;
    try {
      await data.understand();
    } catch (error) {
      wrong = wrongOf(error);
    }
    if (own !== version) return;
    show();
    put("error", wrong ? el("p", {}, wrong.text) : undefined);
    say({ type: "wrong", field: wrong?.field });
    if (wrong) phase("refused", "The data cannot be trained on yet.");
    else phase("ready", `Ready to train. ${data.run!.data.description[0]}`);
  });
  await queue;
}

/** Shows the data and the form. */
function show(): void {
  const about = data!.about(hasGpu);
  put("data", [understood(data!), data!.isOwn && dataFields(data!.texts, about)]);
  put("form", trainingFields(data!.texts, about));
}

/** Empties what belongs to a training. */
function clear(): void {
  for (const region of ["tiles", "curves", "classes", "examples", "notes", "files", "command"] as const) {
    put(region, undefined);
  }
}

async function open({ files = [], sample }: ToWorker & { type: "open" }): Promise<void> {
  version++;
  end();
  clear();
  const dropped = files.map((file): Dropped => ({ name: file.name, blob: file, use: "train" }));
  data = sample === undefined ? new Data(dropped) : new Data([], SAMPLES[sample]);
  phase("reading", "Reading the data …");
  await data.look();
  await read();
}

/** A field has another text. */
async function set({ field, text }: ToWorker & { type: "set" }): Promise<void> {
  if (!data) return;
  const [kind, place] = field.split(":");
  if (kind === "column") data.use(Number(place), text as Role);
  else if (kind === "use") data.files[Number(place)]!.use = text as Dropped["use"];
  else data.texts.set(field, text);
  // How the file is written says what its columns are.
  if (field.startsWith("files.")) await data.look();
  await read();
}

async function train(): Promise<void> {
  await queue;
  const run = data?.run;
  if (!run || isRunning) return;
  isRunning = true;
  end();
  clear();
  let said = 0;
  const begun = performance.now();
  phase("training", "Training …");
  try {
    training = await PageTraining.of(run, {
      progress({ epoch, batch, batches }, epochs) {
        const now = performance.now(), share = (epoch - 1 + batch / batches) / epochs;
        if (now - said < PROGRESS) return;
        said = now;
        const left = (now - begun) / share * (1 - share) / 1000;
        say({
          type: "progress",
          share,
          said: `epoch ${epoch} of ${epochs}, about ${plural(Math.ceil(left), "second")} left`,
        });
      },
      pictures: (report) => draw(report, false),
    });
    training.isCalm = isCalm;
    const ended = await training.go();
    finish(ended, (performance.now() - begun) / 1000);
  } catch (error) {
    const { text } = wrongOf(error);
    put("error", el("p", {}, text));
    phase("refused", "Training has failed.");
  } finally {
    isRunning = false;
  }
}

/** Puts what a report shows where it belongs. */
function draw(report: RunReport, isLast: boolean): void {
  put("tiles", tiles(report));
  put(
    "curves",
    isLast ? trainingSection(report) : [el("h2", {}, "Training"), liveNote(report), curveGrid(report)],
    !isLast,
  );
  put("classes", [classesSection(report), regressionsSection(report), forecastsSection(report)], !isLast);
  put("examples", [attentionSection(report), alignmentsSection(report)], !isLast);
}

/** What stands where the report's note about the curves will. */
function liveNote({ history }: RunReport): Content {
  return el("p", { class: "note" }, `${plural(history.length, "epoch")} so far.`);
}

/** Shows what a training came to. */
function finish({ report, scores, isStopped }: Ended, seconds: number): void {
  const { run, training: { state, options, best }, model } = training!, { data: of, job } = run;
  draw(report, true);
  const outputs = isPairConfig(of.config) ? 0 : configOfModel(model).outputSize;
  const notes = of.own && state.history.length && !options.fastDevRun
    ? learningNotes(of, {
      history: state.history,
      scores,
      outputs,
      ran: !isStopped && !training!.training.stoppedEarly,
    })
    : [];
  const one = model.device.withoutThreads;
  put("notes", [
    scores && el("p", { id: "score" }, `test of ${plural(scores.count, scores.unit)}: ${inWords(scores.values)}`),
    el("p", { id: "device" }, `Computed on ${model.device.description}${one ? `: ${one}` : ""}.`),
    notes.map((note) => el("p", {}, note)),
  ]);
  put("files", filesTable(training!));
  put("command", commandSection(isStopped, job.device.device === "webgpu"));
  const place = isStopped ? `Stopped after epoch ${state.epoch}` : `Trained ${plural(state.epoch, "epoch")}`;
  phase("ended", `${place} in ${seconds.toFixed(1)} s${best ? `; the best is epoch ${best.epoch}` : ""}.`);
}

/** Kinds of files, by their endings. */
const KINDS = [
  ["json", "Checkpoint", "evaluate, predict, resume"],
  ["js", "Module", "one file that predicts, for pages and programs"],
  ["html", "Page", "predicts what is typed or pasted"],
  ["onnx", "ONNX", "other runtimes"],
  ["pt", "PyTorch", "state dict"],
  ["safetensors", "safetensors", "state dict"],
] as const;

/** The files of a training, for its best epoch and its last. */
function filesTable({ epochs: { best, last } }: PageTraining): Content {
  const stems = [["last", last, "last epoch"], ["best", best, "best epoch"]] as const;
  const there = stems.filter(([, epoch]) => epoch !== undefined);
  return [
    el("h2", {}, "Take it with you"),
    el(
      "div",
      { class: "card scroll", tabindex: "0", role: "region", "aria-label": "Files of the model" },
      el(
        "table",
        { class: "list take" },
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            el("th", { scope: "col" }, "file"),
            there.map(([, epoch, name]) => el("th", { scope: "col" }, `${name}, ${epoch}`)),
          ),
        ),
        el(
          "tbody",
          {},
          KINDS.map(([ending, name, use]) =>
            el(
              "tr",
              {},
              el("th", { scope: "row" }, name, el("small", {}, use)),
              there.map(([stem]) => el("td", {}, fileButton(`${stem}.${ending}`))),
            )
          ),
          el(
            "tr",
            {},
            el("th", { scope: "row" }, "Report", el("small", {}, "a page with all of the above")),
            el("td", { colspan: there.length }, fileButton("report.html")),
          ),
        ),
      ),
    ),
  ];
}

function fileButton(name: string): Content {
  return el("button", { type: "button", class: "file", "data-file": name, id: `file-${name.replace(".", "-")}` }, name);
}

/** The command that trains the same in a terminal, or goes on with what was stopped. */
function commandSection(isStopped: boolean, isGpu: boolean): Content {
  const given = data!.given(), { sample } = data!, files = data!.isOwn && !sample ? " and the data" : "";
  const where = `In the folder with mod.ts${files}`;
  const what = isStopped
    ? `${where}, beside last.json, this command goes on where it was stopped; it comes to the bytes of a training that never was.`
    : isGpu
    ? `A graphics card has its own bits: ${
      lower(where)
    }, this command trains the same job, and comes to nearly the same numbers.`
    : `${where}, this command writes the same bytes: ${FOLDER}/last.json and ${FOLDER}/best.json.`;
  return [
    el("h2", {}, "The same in a terminal"),
    el("p", { class: "note" }, what),
    el(
      "pre",
      { class: "card", tabindex: "0", id: "the-command", role: "region", "aria-label": "The command" },
      isStopped ? resumeCommand(given) : commandOf(given, sample?.flag),
    ),
    el("button", { type: "button", id: "copy", "data-copy": "the-command" }, "Copy the command"),
  ];
}

const lower = (text: string) => text.charAt(0).toLowerCase() + text.slice(1);

/** Lets go of what was trained. */
function end(): void {
  training?.[Symbol.dispose]();
  training = undefined;
}

async function file({ name }: ToWorker & { type: "file" }): Promise<void> {
  if (!training) return;
  try {
    say({ type: "file", name, blob: await training.file(name) });
    put("error", undefined);
  } catch (error) {
    put("error", el("p", {}, wrongOf(error).text));
  }
}

scope.onmessage = async ({ data: message }) => {
  try {
    // What was pressed while it came to its end comes too late.
    if (isRunning ? ["open", "set"].includes(message.type) : ["pause", "resume", "stop"].includes(message.type)) return;
    switch (message.type) {
      case "open":
        return await open(message);
      case "set":
        return await set(message);
      case "train":
        return await train();
      case "pause":
        training?.pause();
        return phase("paused", "Paused.");
      case "resume":
        training?.resume();
        return phase("training", "Training …");
      case "stop":
        return training?.stop();
      case "calm":
        isCalm = message.calm;
        if (training) training.isCalm = isCalm;
        return;
      case "file":
        return await file(message);
    }
  } catch (error) {
    const { text, field } = wrongOf(error);
    put("error", el("p", {}, text));
    say({ type: "wrong", field });
    phase("refused", "That did not work.");
  }
};

hasGpu = await scope.navigator.gpu?.requestAdapter().then((adapter) => !!adapter, () => false) ?? false;
phase("empty", "Choose data to begin.");
