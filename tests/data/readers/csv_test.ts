import assert from "node:assert/strict";
import fc from "npm:fast-check@4.10.2";
import { parse } from "npm:csv-parse@7.0.3/sync";
import { errorCause, readRecords, readTable, writeNpz } from "../../../mod.ts";
import { assertFails, input, read, short } from "./read.ts";

Deno.test("readRecords() takes a row of a wide table for a sequence", async () => {
  const records = await read("a.csv", "a,b,label\n1,2.5,up\n-3e2, 4 ,down\n");
  assert.deepEqual(records.map(short), [[[1, 2.5], "up"], [[-300, 4], "down"]]);
  const [{ steps, channels, place, missing }] = records as [typeof records[0]];
  assert.deepEqual([steps, channels, place, missing], [2, 1, "a.csv, line 2", undefined]);
});

Deno.test("readRecords() takes the label columns that it is told, by name or place", async () => {
  const text = "a,b,c\n1,2,3\n";
  for (const [labelColumns, expected] of [[["a"], [[2, 3], "1"]], [[-1], [[1, 2], "3"]], [["0", "c"], [[2], "1|3"]]]) {
    assert.deepEqual((await read("a.csv", text, { labelColumns: labelColumns as string[] })).map(short), [expected]);
  }
  assert.deepEqual((await read("a.csv", text, { labelColumns: [] })).map(short), [[[1, 2, 3]]]);
  const picked = await read("a.csv", text, { labelColumns: ["b"], featureColumns: ["c", "a"] });
  assert.deepEqual(picked.map(short), [[[3, 1], "2"]]);
  await assertFails(
    "a.csv",
    text,
    "no column is called label, class, y or target, only a, b, c: name it (labelColumns)",
  );
  await assertFails("a.csv", text, "there is no column d, only a, b, c: labelColumns asks for it", {
    labelColumns: ["d"],
  });
  await assertFails("a.csv", text, "there is no column 3, only 0 to 2: labelColumns asks for it", {
    labelColumns: [3],
  });
  await assertFails("a.csv", text, "column a is asked for twice, as weight and as label", {
    labelColumns: ["a"],
    weightColumn: 0,
  });
});

Deno.test("readRecords() takes a column called id for names, unless it is asked for", async () => {
  const text = "ID,a,y\n7,1,u\n";
  const [record] = await read("a.csv", text);
  assert.deepEqual([record!.id, short(record!)], ["7", [[1], "u"]]);
  assert.deepEqual((await read("a.csv", text, { featureColumns: ["ID", "a"] })).map(short), [[[7, 1], "u"]]);
});

Deno.test("readRecords() takes rows of the same name for a sequence in long format", async () => {
  const text = "id;t;u;v;y;w\na;1;1;2;0;2\na;2;3;4;0;2\nb;1;5;6;1;0.5\n";
  const source = await readRecords(input("a.csv", text), {
    sequenceColumn: "id",
    timeColumn: "t",
    weightColumn: "w",
  });
  assert.deepEqual([source.format, source.channelNames, source.labelNames], ["csv", ["u", "v"], ["y"]]);
  const records = await Array.fromAsync(source.records);
  assert.deepEqual(records.map(short), [[[1, 2, 3, 4], "0"], [[5, 6], "1"]]);
  assert.deepEqual(records.map(({ id, steps, channels, weight, place }) => [id, steps, channels, weight, place]), [
    ["a", 2, 2, 2, "a.csv, line 2"],
    ["b", 1, 2, 0.5, "a.csv, line 4"],
  ]);
});

Deno.test("readRecords() refuses rows in a wrong order, and labels that change", async () => {
  const long = { sequenceColumn: "id", timeColumn: "t" };
  await assertFails(
    "a.csv",
    "id,t,x,y\na,1,1,0\nb,1,1,0\na,2,1,0\n",
    'line 4: sequence "a" comes back after others: rows of one sequence must follow one another, so sort them by it',
    long,
  );
  await assertFails(
    "a.csv",
    "id,t,x,y\na,2026-01-02,1,0\na,2026-01-01,1,0\n",
    'line 3, column t: the time goes back, to "2026-01-01": steps must be in order',
    long,
  );
  await assertFails("a.csv", "id,t,x,y\na,soon,1,0\n", /column t must be at a time that is a number or a date/, long);
  await assertFails(
    "a.csv",
    "id,t,x,y\na,1,1,0\na,2,1,1\n",
    'line 3, column y must be the same throughout sequence "a", got "1" after "0": ' +
      "if each row has a label of its own, say so (labelsPerRow)",
    long,
  );
  await assertFails("a.csv", "t,x,y\n1,1,0\n", /a column of times needs one .*: name it \(sequenceColumn\)$/, {
    timeColumn: "t",
  });
});

Deno.test("readRecords() reads quoted cells, with delimiters, quotes and line ends in them", async () => {
  const text = '"a, b",label\n1,"x ""y"""\n\n2,"two\nlines"\n3,z\n4,"q"\n';
  const records = await read("a.csv", text);
  assert.deepEqual(records.map(short), [[[1], 'x "y"'], [[2], "two\nlines"], [[3], "z"], [[4], "q"]]);
  assert.deepEqual(records.map(({ place }) => place), [2, 4, 6, 7].map((line) => `a.csv, line ${line}`));
  await assertFails(
    "a.csv",
    'a,label\n1,"x\n2,y\n',
    /line 2 has a quotation mark without its second: if it is text like any other/,
  );
  await assertFails("a.csv", 'a,label\n1,x\n2,y"z"\n', /line 3 has a quotation mark in the wrong place/);
  await assertFails(
    "a.csv",
    `a,label\n1,"${"x\n".repeat(600)}`,
    /longer than 1000 bytes, the limit: a quotation mark/,
    {
      maxLineBytes: 1000,
    },
  );
});

Deno.test("readRecords() reads rows as csv-parse does, whatever is quoted", async () => {
  const cell = fc.string({ unit: fc.constantFrom("a", "é", ",", '"', "\n", " "), maxLength: 4 });
  const row = fc.tuple(fc.tuple(cell, fc.boolean()), fc.tuple(cell, fc.boolean()), fc.tuple(cell, fc.boolean()));
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
  await fc.assert(
    fc.asyncProperty(fc.array(row, { minLength: 1 }), fc.integer({ min: 1, max: 40 }), async (rows, piece) => {
      const lines = rows.map((cells) =>
        cells.map(([text, quote]) => quote || /[,"\n]/.test(text) ? quoted(text) : text).join(",")
      );
      const text = `a,b,c\n${lines.join("\n")}\n`;
      const expected = parse(text, { fromLine: 2, relaxColumnCount: true, skipEmptyLines: true });
      for (const textColumn of ["a", "b", "c"]) {
        const options = { textColumn, optionalLabels: true };
        const records = await Array.fromAsync((await readRecords(input("a.csv", text, piece), options)).records);
        assert.deepEqual(
          records.map((record) => record.text),
          expected.map((cells) => cells["abc".indexOf(textColumn)]),
        );
      }
    }),
    { numRuns: 100 },
  );
});

Deno.test("readRecords() takes CRLF, a byte order mark, tabs, and texts in a column", async () => {
  assert.deepEqual((await read("a.csv", "\ufeffa,y\r\n1,u\r\n2,v")).map(short), [[[1], "u"], [[2], "v"]]);
  assert.deepEqual((await read("a.tsv", "a\tb\ty\n1\t2\tu\n")).map(short), [[[1, 2], "u"]]);
  assert.deepEqual((await read("a.csv", 'n,s,y\n1,"so, so",0\n', { textColumn: "s" })).map(short), [["so, so", "0"]]);
  const bare = await read("a.csv", "1,2,u\n3,4,v\n", { header: false, labelColumns: [-1] });
  assert.deepEqual(bare.map(short), [[[1, 2], "u"], [[3, 4], "v"]]);
});

Deno.test("readRecords() marks missing values, and names the first", async () => {
  for (const cell of ["", "NaN", "?", "NA", " nan ", "null"]) {
    const [record] = await read("a.csv", `a,b,c,y\n1,${cell},2,u\n`);
    assert.deepEqual(short(record!), [[1, NaN, 2], "u"]);
    assert.equal(record!.missing, "line 2, column b");
  }
});

Deno.test("readRecords() refuses a CSV file that is wrong, naming line and column", async () => {
  await assertFails("a.csv", "", "the file is empty");
  await assertFails("a.csv", "\n\n", "the file is empty");
  await assertFails("a.csv", "a,y\n", "there are no sequences");
  await assertFails("a.csv", "a,b,y\n1,2,u\n1,u\n", "line 3 must have 3 columns, got 2");
  await assertFails(
    "a.csv",
    "a,b,y\n1,2x,u\n",
    'line 2, column b must be a number, got "2x": say which columns to take (featureColumns), or that it names ' +
      "sequences of a row per step (sequenceColumn)",
  );
  await assertFails("a.csv", "a,b,y\n1,2,u\n1,2x,u\n", 'line 3, column b must be a number, got "2x"');
  await assertFails("a.csv", "a,b,y\n1,2,u\n1,0x10,u\n", 'line 3, column b must be a number, got "0x10"');
  for (const cell of ["Infinity", "-inf", "1e39", "-3.5e38"]) {
    await assertFails("a.csv", `a,b,y\n1,${cell},u\n`, `line 2, column b must be a finite float32, got "${cell}"`);
  }
  await assertFails("a.csv", "a,b,a,y\n1,2,3,u\n", "line 1 names columns 1 and 3 both a");
  await assertFails("a.csv", "a,,y\n1,2,u\n", /column 2 has no name/);
  await assertFails("a.csv", "0.5,1.5,2\n", /line 1 looks like data, not like names of columns/);
  await assertFails("a.csv", "a,y\n1,\n", "line 2, column y has no label");
  await assertFails("a.csv", "a,w,y\n1,0,u\n", 'line 2, column w must be a weight above 0, got "0"', {
    weightColumn: "w",
  });
  await assertFails("a.csv", "y\nu\n", "there is no column of numbers");
  await assertFails(
    "a.csv",
    `a,y\n${"1".repeat(3000)}`,
    "line 2 is longer than 1000 bytes, the limit: raise maxLineBytes",
    {
      maxLineBytes: 1000,
    },
  );
  await assertFails("a.csv", "a,y\n1,u\n", 'there is no option "labels"', { labels: 1 } as object);
});

Deno.test("readRecords() names the byte that is no UTF-8", async () => {
  const bytes = new TextEncoder().encode("a,y\n1,u\n2,_\n");
  bytes[10] = 0xe9;
  await assertFails("a.csv", bytes, /line 3 is not UTF-8, byte 10 is 0xe9: say what/);
  await assertFails("a.csv", bytes.slice(0, 11), /line 3 is not UTF-8, byte 10 is 0xe9: say what/);
  await assertFails("a.csv", Uint8Array.of(0xff, 0xfe, 65, 0, 66), "the file is not utf-16le, or it is cut off");
  await assertFails("a.csv", bytes, /encoding must be the name of an encoding, as latin1/, { encoding: "latin-ä" });
  await assertFails("a.csv", bytes, "the file is not utf-8, or it is cut off", { encoding: "utf8" });
});

Deno.test("readRecords() takes names of built-in properties for plain names", async () => {
  const text = "__proto__,constructor,toString,label\n1,2,3,__proto__\n";
  assert.deepEqual((await read("a.csv", text)).map(short), [[[1, 2, 3], "__proto__"]]);
  const long = await read("a.csv", "__proto__,x,y\n__proto__,1,a\n", { sequenceColumn: "__proto__" });
  assert.deepEqual(long.map(({ id }) => id), ["__proto__"]);
});

Deno.test("readRecords() unpacks gzip, and refuses one that is cut off", async () => {
  const stream = new Blob(["a,y\n1,u\n"]).stream().pipeThrough(new CompressionStream("gzip"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  assert.deepEqual((await read("a.csv.gz", bytes)).map(short), [[[1], "u"]]);
  await assertFails("a.csv.gz", bytes.subarray(0, -9), "its gzip is damaged or cut off");
});

Deno.test("readRecords() closes the stream: after an error, and when its records are left early", async () => {
  for (const text of ["", "a,b\n1,2\n", "a,y\n1,u\n2,v\n", "a,y\n1,u\n2\n"]) {
    let isClosed = false;
    const bytes = new TextEncoder().encode(text);
    const stream = async function* () {
      try {
        for (const byte of bytes) yield await Promise.resolve(Uint8Array.of(byte));
      } finally {
        isClosed = true;
      }
    };
    try {
      for await (const _ of (await readRecords({ name: "a.csv", stream })).records) break;
    } catch { /* Closed all the same. */ }
    assert.ok(isClosed, text);
  }
});

Deno.test("readRecords() refuses numbers that may be two, naming the option that says which", async () => {
  const table = (text: string, name = "a.csv") => readTable(input(name, text, 5));
  const refused = (text: string, message: RegExp) =>
    assert.rejects(table(text), (error) => {
      assert.match((error as Error).message, message);
      assert.equal(errorCause(error)?.option, "decimal");
      return true;
    });
  await refused(
    "a;b\n1,234;5\n6,789;1\n",
    /line 2, column a may be 1234 or 1\.234, got "1,234": say which is the deci/,
  );
  await refused("a;b\n1.200;3\n0,5;4\n", /line 3, column a has a decimal comma where others have a point, got "0,5"/);
  await refused("a;b\n1,5;3\n2.5;4\n", /line 3, column a must be a number with a decimal comma, got "2\.5"/);
  await refused('a,b\n"12,5",3\n', /line 2, column a has a decimal comma where others have a point/);
  const { notes } = await table("a;b\n1.234,5;3\n");
  assert.deepEqual(notes, [
    "a.csv: the decimal sign is a comma",
    'a.csv: "1.234,5" is read as 1234.5, its thousands in groups',
  ]);
  await assert.rejects(table("a,b,\n1,2,\n1,2,3\n"), /column 3 has no name/);
  await assert.rejects(table("a,b\n1,2\n1,2,\n"), /line 3 must have 2 columns, got 3/);
});

Deno.test("readRecords() says how it understood arrays that may have channels first", async () => {
  const x = { shape: [2, 3, 8], data: new Float32Array(48) }, y = { shape: [2], data: Int32Array.of(0, 1) };
  const notes = async (shape: number[], options = {}) => {
    const source = await readRecords(input("a.npz", await writeNpz({ x: { ...x, shape }, y })), options);
    await Array.fromAsync(source.records);
    return source.notes;
  };
  const told = (steps: string, rest: string) => [
    `a.npz: a sequence is ${steps} of ${rest} channels; the layout nct takes it for ${rest} steps of ${
      parseInt(steps)
    }`,
  ];
  assert.deepEqual(await notes([2, 3, 8]), told("3 steps", "8"));
  assert.deepEqual(await notes([2, 1, 24]), told("1 step", "24"));
  assert.deepEqual(await notes([2, 8, 3]), []);
  assert.deepEqual(await notes([2, 3, 8], { layout: "ntc" }), []);
  assert.deepEqual(await notes([2, 3, 8], { layout: "nct" }), []);
});

Deno.test("readRecords() takes rows that lack their last steps for shorter sequences, unless the file may be cut off", async () => {
  const text = "y,a,b,c\nu,1,2,3\nv,4\nu,5,6\nv,7,8,9\n", source = await readRecords(input("a.csv", text, 5));
  const records = await Array.fromAsync(source.records);
  assert.deepEqual(records.map(short), [[[1, 2, 3], "u"], [[4], "v"], [[5, 6], "u"], [[7, 8, 9], "v"]]);
  assert.deepEqual(source.notes, ["a.csv: rows that are shorter than the head, the first in line 3, end early"]);
  await assertFails("a.csv", "y,a,b,c\nu,1,2,3\nv,4,5", "line 3 must have 4 columns, got 3");
  await assertFails("a.csv", "y,a,b,c\nu\n", "line 2 must have 4 columns, got 1");
  await assertFails("a.csv", "a,b,c,y\n1,2,3,u\n4,5,u\n", "line 3 must have 4 columns, got 3");
  const columns = { featureColumns: ["c", "b"], labelColumns: ["y"] };
  await assertFails("a.csv", "y,a,b,c\nu,1,2,3\nv,4,5\n", "line 3 must have 4 columns, got 3", columns);
});

Deno.test("a time among the steps of a wide table is refused, unless it is asked for", async () => {
  const rows = "user,timestamp,x,y,label\n1,10,0.5,1,a\n1,20,0.25,2,b\n";
  const what = /column timestamp is a time, and no step of a sequence: if a row is a step, say which column/;
  await assertFails("t.csv", rows, what);
  assert.deepEqual((await read("t.csv", rows, { featureColumns: ["timestamp", "x"] })).map(short), [
    [[10, 0.5], "a"],
    [[20, 0.25], "b"],
  ]);
  const labelled = "id,time,x,label\na,1,1,u\na,2,2,v\n";
  await assertFails("t.csv", labelled, /if each row has a label of its own/, { sequenceColumn: "id" });
  const long = await read("t.csv", "id,time,x,label\na,1,1,u\na,2,2,u\n", { sequenceColumn: "id" });
  assert.equal(long[0]!.channels, 2);
});

Deno.test("a first line of nothing but numbers is taken for names only where they are in even steps", async () => {
  const unclear = /line 1 looks like data, not like names of columns: say whether it is one \(header: true or false\)$/;
  const labels = { labelColumns: [-1] };
  for (const first of ["3,1,4", "1,2,4", "3,2,1", "-1,0,5"]) {
    await assertFails("t.csv", `${first}\n1,5,0\n2,6,1\n`, unclear, labels);
    assert.equal((await read("t.csv", `${first}\n1,5,0\n2,6,1\n`, { ...labels, header: false })).length, 3);
    assert.equal((await read("t.csv", `${first}\n1,5,0\n2,6,1\n`, { ...labels, header: true })).length, 2);
  }
  for (const first of ["0,1,2", "2019,2020,2021", "10,20,30", "5,7,label"]) {
    assert.equal((await read("t.csv", `${first}\n1,5,0\n2,6,1\n`, labels)).length, 2);
  }
});
