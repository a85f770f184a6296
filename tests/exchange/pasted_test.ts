/** Tables as they are pasted into the page of a model. */

import assert from "node:assert/strict";
import { pasted as untyped } from "../../core/exchange/module/runtime/table.js";

const pasted = untyped as (text: string, info: Record<string, unknown>) => unknown;
const columns = ["speed", "turn"];
const info = { columns, sequenceColumn: "id", timeColumn: "t" };

const READ: readonly (readonly [what: string, text: string, info: Record<string, unknown>, rows: unknown])[] = [
  ["columns in another order, and others", "turn,id,speed\n1,a,2\n3,a,4\n", info, [
    { turn: 1, speed: 2 },
    { turn: 3, speed: 4 },
  ]],
  ["lists without a head", "1 2\n3 4", { columns }, [[1, 2], [3, 4]]],
  ["decimal commas", "speed;turn\n1,5;2\n3;0,123", info, [{ speed: 1.5, turn: 2 }, { speed: 3, turn: 0.123 }]],
  ["what may be a decimal comma or thousands stays text", "speed;turn\n1,234;2", info, [{ speed: "1,234", turn: 2 }]],
  ["as the training's files were", "speed;turn\n1,234;2", { ...info, decimal: "," }, [{ speed: 1.234, turn: 2 }]],
  ["thousands beside decimal commas stay text", "speed;turn\n1.234;0,5", info, [{ speed: "1.234", turn: 0.5 }]],
  ["no value", "speed,turn\n,NaN\n-200,1", { ...info, missingValues: ["-200"] }, [
    { speed: null, turn: null },
    { speed: null, turn: 1 },
  ]],
  ["a bad cell of the first row is no head", "4,fast\n1,2", { columns }, [[4, "fast"], [1, 2]]],
  ["quotation marks", 'speed,turn,note\n1,2,"a ""b"", c"', info, [{ speed: 1, turn: 2 }]],
  ["times that rise", "t,speed,turn\n9,1,2\n10,3,4", info, [{ speed: 1, turn: 2 }, { speed: 3, turn: 4 }]],
  ["dates that rise with the day first", "date,speed,turn\n31/01/2024,1,2\n01/02/2024,3,4", info, [
    { speed: 1, turn: 2 },
    { speed: 3, turn: 4 },
  ]],
  ["what is no time may fall", "note,speed,turn\nb,1,2\na,3,4", info, [{ speed: 1, turn: 2 }, { speed: 3, turn: 4 }]],
];

for (const [what, text, info, rows] of READ) {
  Deno.test(`a pasted table: ${what}`, () => assert.deepEqual(pasted(text, info), rows));
}

const REFUSED: readonly (readonly [text: string, words: RegExp])[] = [
  ["id,speed,turn\na,1,2\nb,3,4", /2 sequences by "id": paste one/],
  ["t,speed,turn\n10,1,2\n9,3,4", /"t" falls at row 2: the oldest row must be first/],
  ["date,speed,turn\n2024-01-03,1,2\n2024-01-02,3,4\n2024-01-01,5,6", /"date" falls at row 2/],
  ["date,speed,turn\n03.01.2024,1,2\n02.01.2024,3,4", /"date" falls at row 2/],
  ["date,speed,turn\n31/01/2024 10:00,1,2\n30/01/2024 11:00,3,4", /"date" falls at row 2/],
  ["a,b\n1,2", /names none of speed, turn/],
  ["speed,turn\n1,2\n3", /row 2 has 1 cells, the first line 2/],
  ["speed,turn\n1,2,3", /row 1 has 3 cells/],
];

for (const [text, words] of REFUSED) {
  Deno.test(`a pasted table is refused: ${JSON.stringify(text)}`, () => {
    assert.throws(() => pasted(text, info), { message: words });
  });
}
