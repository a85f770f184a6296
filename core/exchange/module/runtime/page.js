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
        steps.map((step, t) => [String(t + 1), step.label ?? step.labels?.join(", ") ?? amount(step.values)]),
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
function taken({ input, columns, rows, width, channels }) {
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
      return `A sequence: a step a line, ${columns ? `with ${named}` : `${width ?? channels} numbers each`}.`;
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

/** Makes the page of a model. */
export function page(predict, info) {
  const main = document.querySelector("main"), { input, columns } = info;
  const hint = element("p", { id: "hint" }, taken(info));
  const box = element("textarea", {
    id: "input",
    rows: input === "text" ? 4 : 8,
    spellcheck: input === "text",
    placeholder: input !== "text" && columns ? `${columns.slice(0, 8).join(",")}\n…` : "",
  });
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
      const prediction = predict(sequenceOf(box.value, info)), { attention, tokens } = prediction;
      answer.append(
        ...answerElements(prediction, info),
        ...attention?.length ? attentionElements(attention, tokens) : [],
      );
    } catch (error) {
      problem.textContent = error.message;
    }
  };
  box.addEventListener("input", update);
  const label = element("label", { htmlFor: "input" }, input === "text" ? "Text" : "Data: type or paste it");
  const isTable = columns && input !== "text" && columns.length <= 60;
  main.append(hint, label, box, ...isTable ? [rowForm(columns, box, update)] : [], problem, answer);
}
