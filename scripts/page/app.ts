/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * The page itself: hands what is chosen and typed to the worker, and shows what comes back. It computes nothing, so that it
 * stays free to move.
 *
 * @module
 */

import { VERSION } from "../../core/version.ts";
import type { FromWorker, Phase, Region, ToWorker } from "./protocol.ts";

const byId = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const choose = byId<HTMLInputElement>("choose"), drop = byId("drop"), settings = byId("settings");
const train = byId<HTMLButtonElement>("train"),
  pause = byId<HTMLButtonElement>("pause"),
  stop = byId<HTMLButtonElement>("stop");
const progress = byId<HTMLProgressElement>("progress"), left = byId("left"), status = byId("status");

byId("about").textContent = `Grutto ${VERSION}. It works offline: nothing is loaded but this page.`;

// From a blob: a worker that is loaded by itself would not be bound by the page's policy.
const program = `import ${JSON.stringify(new URL("worker.js", document.baseURI).href)};`;
const worker = new Worker(URL.createObjectURL(new Blob([program], { type: "text/javascript" })), { type: "module" });
const send = (message: ToWorker) => worker.postMessage(message);

worker.onerror = (event) => {
  status.textContent = "";
  byId("error").replaceChildren(paragraph(event.message || "The page's worker cannot be started in this browser."));
};

function paragraph(text: string): HTMLElement {
  const element = document.createElement("p");
  element.textContent = text;
  return element;
}

/** What waits to be shown: of each region the newest, and the parts of the one that is being shown. */
const waiting = new Map<Region, string>(), parts: (() => void)[] = [];
let phase: Phase = "empty", entering: (FromWorker & { type: "phase" }) | undefined, isShowing = false;
let wrong: string | undefined;

worker.onmessage = ({ data: message }: MessageEvent<FromWorker>) => {
  switch (message.type) {
    case "put":
      waiting.set(message.region, message.html);
      showSoon();
      break;
    case "phase":
      // What belongs to it is shown before.
      entering = message;
      showSoon();
      break;
    case "progress":
      if (phase !== "training") break;
      progress.value = message.share;
      left.textContent = message.said;
      break;
    case "file":
      download(message.name, message.blob);
      break;
    case "wrong":
      wrong = message.field;
  }
};

/** Shows what waits with the next frame; at once where there are none, as in a tab that is not seen. */
function showSoon(): void {
  if (isShowing) return;
  isShowing = true;
  if (document.hidden) setTimeout(show);
  else requestAnimationFrame(show);
}

/** Shows one part, so that no frame is long. */
function show(): void {
  isShowing = false;
  const [next] = waiting;
  if (!parts.length && next) {
    waiting.delete(next[0]);
    const fresh = document.createElement("template");
    fresh.innerHTML = next[1];
    patch(byId(next[0]), fresh.content);
  }
  if (parts.length) parts.shift()!();
  else if (!waiting.size && entering) {
    enter(entering.phase, entering.said);
    entering = undefined;
  }
  if (parts.length || waiting.size || entering) showSoon();
}

/** Makes the parts of an element those of a fresh one: what is the same stays, what is not is a part to show. */
function patch(old: Element, fresh: ParentNode): void {
  const before = [...old.children];
  [...fresh.children].forEach((child, i) => {
    const own = before[i];
    if (!own) parts.push(() => old.append(child));
    else if (own.isEqualNode(child)) return;
    else if (own.matches(".grid") && child.matches(".grid")) patch(own, child);
    else parts.push(() => replace(own, child));
  });
  for (const gone of before.slice(fresh.children.length)) parts.push(() => gone.remove());
}

/** Puts one element in another's place; who is at a control in it stays there. */
function replace(old: Element, fresh: Element): void {
  const active = document.activeElement as HTMLInputElement | null;
  const held = active && old.contains(active) ? { id: active.id, value: active.value } : undefined;
  const each = (selector: string) => {
    const own = (root: Element) => [...root.matches(selector) ? [root] : [], ...root.querySelectorAll(selector)];
    return [own(old), own(fresh)] as const;
  };
  const [wereOpen, open] = each("details") as unknown as readonly [HTMLDetailsElement[], HTMLDetailsElement[]];
  open.forEach((one, i) => one.open = wereOpen[i]?.open ?? false);
  const [scrolled, scrolls] = each(".scroll");
  old.replaceWith(fresh);
  scrolls.forEach((one, i) => one.scrollLeft = scrolled[i]?.scrollLeft ?? 0);
  if (!held) return;
  const again = held.id ? document.getElementById(held.id) as HTMLInputElement | null : null;
  if (again?.tagName === "INPUT") again.value = held.value;
  again?.focus({ preventScroll: true });
}

/** Sets what can be done now. */
function enter(next: Phase, said: string): void {
  const wasRunning = phase === "training" || phase === "paused", isRunning = next === "training" || next === "paused";
  phase = next;
  document.body.dataset.phase = next;
  status.textContent = said;
  markWrong(wrong);
  const hasData = next !== "empty";
  settings.hidden = byId("bar").hidden = !hasData;
  choose.disabled = isRunning;
  // Not the whole as a disabled fieldset: what scrolls in it is to be reached all the same.
  const controls = [...settings.querySelectorAll("input, select"), ...document.querySelectorAll("[data-sample]")];
  for (const control of controls as HTMLInputElement[]) control.disabled = isRunning;
  train.disabled = next !== "ready" && next !== "ended";
  train.textContent = next === "ended" ? "Train again" : "Train";
  pause.disabled = stop.disabled = !isRunning;
  pause.textContent = next === "paused" ? "Continue" : "Pause";
  if (!isRunning) left.textContent = "";
  if (next === "ended") progress.value = 1;
  else if (!isRunning) progress.value = 0;
  byId("to-files").hidden = next !== "ended";
  // What moves comes into view; the bar itself sticks to the window.
  if (isRunning && !wasRunning) byId("results").scrollIntoView({ behavior: "instant" });
  // A button that is disabled loses the focus; the next thing to press takes it.
  if (isRunning && !wasRunning && lost()) pause.focus();
  if (!isRunning && wasRunning && lost()) train.focus();
}

/** Whether the focus is on what cannot have it any more. */
function lost(): boolean {
  const active = document.activeElement;
  return active === document.body || active === train || active === pause || active === stop;
}

function markWrong(field: string | undefined): void {
  for (const one of document.querySelectorAll("[aria-invalid]")) one.removeAttribute("aria-invalid");
  if (field === undefined) return;
  const element = document.getElementById(field), details = element?.closest("details");
  element?.setAttribute("aria-invalid", "true");
  if (details) details.open = true;
}

function open(files: Iterable<File>): void {
  const list = [...files];
  if (list.length) send({ type: "open", files: list });
}

choose.addEventListener("change", () => {
  open(choose.files ?? []);
  // The same file may be chosen again, once it has changed.
  choose.value = "";
});

const isFree = () => phase !== "training" && phase !== "paused";
addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.classList.toggle("over", isFree());
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) drop.classList.remove("over");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  if (isFree()) open(event.dataTransfer?.files ?? []);
});

document.addEventListener("click", ({ target }) => {
  const button = (target as HTMLElement).closest<HTMLElement>("button");
  const { sample, file, copy } = button?.dataset ?? {};
  if (sample) send({ type: "open", sample });
  if (file) send({ type: "file", name: file });
  if (copy) void copyText(copy, button!);
});

document.addEventListener("change", ({ target }) => {
  const control = target as HTMLInputElement, { field, column, use } = control.dataset;
  if (field !== undefined) send({ type: "set", field, text: control.value.trim() });
  if (column !== undefined) send({ type: "set", field: `column:${column}`, text: control.value });
  if (use !== undefined) send({ type: "set", field: `use:${use}`, text: control.value });
});

train.addEventListener("click", () => {
  progress.value = 0;
  send({ type: "train" });
});
pause.addEventListener("click", () => send({ type: phase === "paused" ? "resume" : "pause" }));
stop.addEventListener("click", () => send({ type: "stop" }));

const calm = matchMedia("(prefers-reduced-motion: reduce)");
const tellCalm = () => send({ type: "calm", calm: calm.matches });
calm.addEventListener("change", tellCalm);
tellCalm();

function download(name: string, blob: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

async function copyText(id: string, button: HTMLElement): Promise<void> {
  try {
    await navigator.clipboard.writeText(byId(id).textContent!);
    button.textContent = "Copied";
  } catch {
    getSelection()?.selectAllChildren(byId(id));
    button.textContent = "Selected: copy it with the keyboard";
  }
}
