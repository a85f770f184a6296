/** Pasted tables as rows. */

/** What stands for no value. */
const ABSENT = /^(|\?|nan|na|n\/a|null|none)$/i;

/** What stands in a cell: a number, null where none is, or the text that is neither. */
function cellValue(text, comma, missing) {
  if (ABSENT.test(text) || missing?.includes(text)) return null;
  const number = Number(comma ? text.replace(/[.,]/g, (sign) => sign === "," ? "." : "_") : text);
  return Number.isNaN(number) ? text : number;
}

/** Whether a cell can only be a number with a decimal comma: "1,234" may be two numbers. */
function hasComma(cell) {
  return /^[-+]?\d*,\d+(e[-+]?\d+)?$/i.test(cell) && !/^[-+]?[1-9]\d{0,2},\d{3}$/.test(cell);
}

/** The cells of a line: quotation marks may stand around them. */
function cellsOf(line, delimiter) {
  const cells = [];
  let cell = "", quoted = false;
  for (let i = 0; i < line.length; i++) {
    const sign = line[i];
    if (sign === '"' && quoted && line[i + 1] === '"') cell += line[++i];
    else if (sign === '"' && (quoted || cell.trim() === "")) quoted = !quoted;
    else if (sign === delimiter && !quoted) {
      cells.push(cell);
      cell = "";
    } else cell += sign;
  }
  return [...cells, cell];
}

/** A date as it may be meant, day or month first; none: it is no date. */
function datesIn(cell) {
  const parts = /^(\d{1,2})[./-](\d{1,2})[./-](\d{4})(.*)$/.exec(cell);
  const texts = parts ? [[1, 2], [2, 1]].map(([m, d]) => `${parts[3]}/${parts[m]}/${parts[d]}${parts[4]}`) : [cell];
  return /^\d{4}[-/]|[./-]/.test(cell) ? texts.map((text) => Date.parse(text)) : [Number(cell || NaN)];
}

/** The row at which times that rise somewhere, or nowhere, fall; undefined: they do not, or are none. */
function fallIn(cells) {
  const falls = [0, 1].map((way) => {
    const times = cells.map((cell) => datesIn(cell)).map((ways) => ways[way] ?? ways[0]);
    return times.some(Number.isNaN) ? undefined : times.findIndex((time, i) => time < times[i - 1]);
  }).filter((row) => row !== undefined);
  return falls.length && falls.every((row) => row > 0) ? falls[0] : undefined;
}

/** Refuses what is no single sequence with its oldest row first. */
function checkOrder(head, lines, { columns, sequenceColumn, timeColumn }) {
  const cellsAt = (i) => lines.map((cells) => cells[i]), sequences = new Set(cellsAt(head.indexOf(sequenceColumn)));
  if (sequences.size > 1) {
    throw new Error(`Cannot predict: the table holds ${sequences.size} sequences by "${sequenceColumn}": paste one`);
  }
  head.forEach((name, i) => {
    if (name !== timeColumn && (columns.includes(name) || !cellsAt(i).every((cell) => /\d[-/:.]\d/.test(cell)))) return;
    const row = fallIn(cellsAt(i));
    if (row !== undefined) {
      throw new Error(`Cannot predict: "${name}" falls at row ${row + 1}: the oldest row must be first`);
    }
  });
}

/**
 * A pasted table as rows: objects where its first line names columns that the model knows, else lists.
 *
 * @param info What the model knows: `columns`, if they have names, and which others name the sequence and the time,
 *   and how the training's files were written.
 */
export function pasted(text, info) {
  const { columns, decimal, missingValues } = info, lines = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  if (!lines.length) return [];
  const delimiter = ["\t", ";", ",", " "].find((sign) => lines[0].trim().includes(sign)) ?? ",";
  const all = lines.map((line) =>
    cellsOf(delimiter === " " ? line.trim().replace(/ +/g, " ") : line, delimiter).map((cell) => cell.trim())
  );
  const [head] = all, isHead = columns && head.some((name) => columns.includes(name));
  const hasHead = isHead || head.every((cell) => typeof cellValue(cell) === "string" && !hasComma(cell));
  const own = hasHead ? all.slice(1) : all;
  const comma = decimal ? decimal === "," : delimiter !== "," && own.flat().some(hasComma);
  const rows = own.map((cells) => cells.map((cell) => cellValue(cell, comma, missingValues)));
  if (!isHead) {
    if (hasHead && columns) throw new Error(`Cannot predict: the first line names none of ${columns.join(", ")}`);
    return rows;
  }
  own.forEach(({ length }, i) => {
    if (length !== head.length) {
      throw new Error(`Cannot predict: row ${i + 1} has ${length} cells, the first line ${head.length}`);
    }
  });
  checkOrder(head, own, info);
  const places = head.flatMap((name, i) => columns.includes(name) ? [i] : []);
  return rows.map((row) => Object.fromEntries(places.map((i) => [head[i], row[i]])));
}
