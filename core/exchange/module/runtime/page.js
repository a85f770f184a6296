/** A page that predicts what is typed or pasted. All that comes from data goes in as text. */

import { pasted } from "./table.js";

/** An element. */
function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** A table with a caption; `rows` are lists of texts and elements, the first of each its head. */
function tableOf(caption, heads, rows) {
  const head = heads.length
    ? [element("thead", {}, element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text))))]
    : [];
  return element(
    "table",
    {},
    element("caption", {}, caption),
    ...head,
    element(
      "tbody",
      {},
      ...rows.map(([first, ...cells]) =>
        element("tr", {}, element("th", { scope: "row" }, first), ...cells.map((cell) => element("td", {}, cell)))
      ),
    ),
  );
}

/** A number for people. */
function shown(value) {
  return String(Number(value.toPrecision(5)));
}

/** A share as a bar with its number. */
function bar(share, largest = 1) {
  const filled = element("span", { className: "bar", ariaHidden: "true" });
  filled.style.width = `${100 * share / largest}%`;
  return element("span", { className: "share" }, filled, element("span", {}, shown(share)));
}

/** What is typed as the model takes it. */
function sequenceOf(text, info) {
  const { input, columns, width } = info;
  if (input === "text") return text;
  const rows = pasted(text, info);
  if (input === "tokens") return rows.flat();
  if (input !== "row") return (width ?? columns?.length) === 1 && !columns ? rows.flat() : rows;
  const [first] = rows;
  if (rows.length > 1 && !(Array.isArray(first) && first.length === 1)) {
    throw new Error(`Cannot predict: a row is a sequence, got ${rows.length}: paste one`);
  }
  return Array.isArray(first) ? rows.flat() : first ?? [];
}

/** What the model says, as elements. */
function answerElements(prediction, info) {
  const { label, labels, probabilities, values, steps, scores, quantiles } = prediction, made = [];
  const verdict = label ?? (labels ? labels.join(", ") || "none of them" : undefined);
  if (verdict !== undefined) made.push(element("p", { className: "verdict" }, verdict));
  const likely = (all) => Object.entries(all).sort(([, a], [, b]) => b - a).slice(0, 20);
  if (probabilities) {
    const own = Array.isArray(probabilities) ? Object.entries(probabilities.flat()) : likely(probabilities);
    made.push(tableOf("Probabilities", [], own.map(([name, p]) => [name, bar(p)])));
  }
  const numbers = scores ?? quantiles ?? values;
  if (info.task === "forecast") {
    const names = Object.keys(numbers[0]);
    made.push(
      tableOf(
        "Forecast",
        ["Row", ...names],
        numbers.map((row, h) => [`+${h + 1}`, ...names.map((name) => amount(row[name]))]),
      ),
    );
  } else if (numbers) {
    made.push(tableOf("Values", [], Object.entries(numbers).map(([name, value]) => [name, amount(value)])));
  }
  if (steps) {
    made.push(
      tableOf(
        "Steps",
        [],
        steps.map((
          step,
          t,
        ) => [String(t + 1), step.label ?? step.labels?.join(", ") ?? amount(step.values ?? step.quantiles)]),
      ),
    );
  }
  return made;
}

/** A number, or several by name. */
function amount(value) {
  if (typeof value === "number") return shown(value);
  return Object.entries(value).map(([name, own]) => `${name}: ${amount(own)}`).join(", ");
}

/** How much each step counts: bars over the steps, and as a table. */
function attentionElements(weights, tokens) {
  const largest = weights.reduce((a, b) => Math.max(a, b)), name = (t) => tokens?.[t] ?? `step ${t + 1}`;
  const marks = weights.map((weight, t) => {
    const mark = element("span", { title: `${name(t)}: ${shown(weight)}` }, tokens ? tokens[t] ?? "" : "");
    mark.style.setProperty("--w", String(weight / largest));
    return mark;
  });
  const rows = weights.map((weight, t) => [name(t), bar(weight, largest)]);
  return [
    element("h2", {}, "Attention"),
    element("div", { className: tokens ? "tokens" : "strip", ariaHidden: "true" }, ...marks),
    element(
      "details",
      {},
      element("summary", {}, "The weights as a table"),
      tableOf("How much each step counts", [], rows),
    ),
  ];
}

/** What the model takes, in words. */
function taken({ input, columns, rows, width, channels, windows }) {
  const named = columns && columns.length <= 30 ? columns.join(", ") : `${columns?.length} columns`;
  switch (input) {
    case "text":
      return "A text.";
    case "rows":
      return `A table of ${named}, a row a line, the oldest first: at least ${rows} rows.`;
    case "row":
      return `One row of numbers: ${named}.`;
    case "tokens":
      return "Numbers of tokens.";
    default:
      return `${windows ? `A window of ${windows.window} steps` : "A sequence"}: a step a line, ${
        columns ? `with ${named}` : `${width ?? channels} numbers each`
      }.`;
  }
}

/** Fields for one row, which is added to the table. */
function rowForm(columns, box, update) {
  const fields = columns.map(() => element("input", { type: "text", inputMode: "decimal", autocomplete: "off" }));
  const labels = columns.map((name, i) => element("label", {}, element("span", {}, name), fields[i]));
  const form = element(
    "form",
    {},
    element("div", { className: "fields" }, ...labels),
    element("button", {}, "Add the row"),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const quote = (cell) => /[",;\t]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
    if (box.value.trim() === "") box.value = `${columns.map(quote).join(",")}\n`;
    else if (!box.value.endsWith("\n")) box.value += "\n";
    box.value += `${fields.map(({ value }) => quote(value.trim())).join(",")}\n`;
    fields.forEach((field) => field.value = "");
    fields[0].focus();
    update();
  });
  return element("details", { open: columns.length <= 12 }, element("summary", {}, "Fill in a row"), form);
}

/**
 * Puts what every page has in its place: a box, what is wrong with what is typed there, and what is said of it.
 *
 * @param answered Elements for what is typed.
 * @param between Elements between the box and the answer, given the box and what updates the answer.
 */
function sheet(info, properties, answered, between = () => []) {
  const hint = element("p", { id: "hint" }, taken(info)), box = element("textarea", { id: "input", ...properties });
  box.setAttribute("aria-describedby", "hint");
  const problem = element("p", { className: "problem" }), answer = element("section", {});
  problem.setAttribute("role", "alert");
  answer.setAttribute("aria-live", "polite");
  answer.setAttribute("aria-label", "Prediction");
  const update = () => {
    answer.replaceChildren();
    problem.textContent = "";
    if (box.value.trim() === "") return;
    try {
      answer.append(...answered(sequenceOf(box.value, info)));
    } catch (error) {
      problem.textContent = error.message;
    }
  };
  box.addEventListener("input", update);
  const label = element("label", { htmlFor: "input" }, info.input === "text" ? "Text" : "Data: type or paste it");
  document.querySelector("main").append(hint, label, box, ...between(box, update), problem, answer);
}

/** Makes the page of a model. */
export function page(predict, info) {
  const { input, columns } = info, isTable = columns && input !== "text" && columns.length <= 60;
  sheet(info, {
    rows: input === "text" ? 4 : 8,
    spellcheck: input === "text",
    placeholder: input !== "text" && columns ? `${columns.slice(0, 8).join(",")}\n…` : "",
  }, (sequence) => {
    const prediction = predict(sequence), { attention, tokens } = prediction;
    return [
      ...answerElements(prediction, info),
      ...attention?.length ? attentionElements(attention, tokens) : [],
    ];
  }, (box, update) => isTable ? [rowForm(columns, box, update)] : []);
}

/** Rows and columns of an alignment that are shown. */
const MOST = 100;

/** How much each step of a source counts at each of an answer: a table, darker where it counts more. */
function alignmentElements(weights, source, answer) {
  const seen = (name) => name === " " ? "\u2423" : name,
    rows = weights.slice(0, MOST),
    cut = (row) => row.slice(0, MOST);
  const named = (names, t) => seen(names ? names[t] ?? (t === names.length ? "end" : "") : String(t + 1));
  const heads = cut(weights[0]).map((_, s) => element("th", { scope: "col" }, named(source, s)));
  const lines = rows.map((row, u) => {
    const cells = cut(row).map((weight) => {
      const cell = element("td", {}, weight >= 0.005 ? String(Math.round(100 * weight)) : "");
      cell.style.setProperty("--w", String(weight));
      return cell;
    });
    return element("tr", {}, element("th", { scope: "row" }, named(answer, u)), ...cells);
  });
  const whole = weights.length <= MOST && weights[0].length <= MOST ? "" : ` The first ${MOST} of each are shown.`;
  const caption = `A line for each step of the answer, a column for each of the source, in percent.${whole}`;
  const first = element("tr", {}, element("td", {}), ...heads);
  const table = element("table", { className: "map" }, element("caption", {}, caption), element("thead", {}, first));
  table.append(element("tbody", {}, ...lines));
  return [element("h2", {}, "Alignment"), table];
}

/** Makes the page of a model from sequences to sequences. */
export function pairPage(predict, info) {
  const isText = info.input === "text", isSearch = info.output !== "numbers", { steps = 1 } = info;
  const count = element("input", { id: "steps", type: "number", min: "1", value: String(steps) });
  sheet(info, { rows: isText ? 4 : 8, spellcheck: isText }, (sequence) => {
    const said = predict(sequence, isSearch ? {} : { steps: Number(count.value) });
    const { text, tokens, values, quantiles, logProbability, sum, attention, sourceTokens } = said, made = [];
    if (isSearch) {
      made.push(element("p", { className: "verdict" }, text ?? tokens.join(" ")));
      const cut = said.ended ? "" : "; it did not end by itself";
      made.push(element("p", {}, `Log-probability ${shown(logProbability ?? sum)}${cut}`));
    } else {
      const kinds = quantiles ? Object.entries(quantiles) : [["", values]], [[, [first]]] = kinds;
      const heads = kinds.flatMap(([q]) =>
        first.map((_, c) => [...first.length > 1 ? [`number ${c + 1}`] : [], q].join(" ").trim())
      );
      const line = (_, u) => [`+${u + 1}`, ...kinds.flatMap(([, all]) => all[u].map(shown))];
      made.push(tableOf("Forecast", ["Step", ...heads.map((head) => head || "value")], kinds[0][1].map(line)));
    }
    return [...made, ...alignmentElements(attention, sourceTokens, isSearch ? tokens.map(String) : undefined)];
  }, (_box, update) => {
    if (isSearch) return [];
    count.addEventListener("input", update);
    return [element("label", { htmlFor: "steps" }, "Steps of the answer"), count];
  });
}
