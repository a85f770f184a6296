/**
 * Writes the tiles of the matrix products, what core/kernels/product.ts imports as "./tiles": the innermost loops, unrolled,
 * every sum in a register.
 *
 * A tile is R rows times one or two blocks of 8 columns. For each depth k, every row's number A[r, k] is spread over a
 * vector and multiplied with the columns B[k, …]; a sum is always added to in the order of k, whatever the tile. How a
 * number is spread is where tiles differ: from a lane of a vector that was loaded for several ("lanes": fewer loads, each of
 * which V8 checks against the end of memory), or by a load of its own ("loads": what V8 can pack into 256 bits). The former
 * go eight depths at a time: the checks and the loop are as much work for a processor as the sums, and a loop of twice the
 * length has half as much of its own.
 *
 * @module
 */

import { PANEL } from "../core/device/kernels.ts";

/** 8 columns of a tile: the letter of their sums, and the pointers to what they are the product of. */
interface Block {
  readonly c: string;
  readonly a: string;
  readonly b: string;
}

interface Tile {
  readonly rows: number;
  readonly blocks: readonly Block[];
  readonly spread: "lanes" | "loads";
  /** Where A[row, depth] is from its pointer on, in bytes. */
  a(row: number, depth: number): number;
}

const range = (n: number) => Array.from({ length: n }, (_, i) => i);
const distinct = (names: string[]) => [...new Set(names)];
const HALVES = [0, 1];

/** An address with its constant part apart, as loads and stores take it. */
const at = (pointer: string, offset: number) => offset ? `${pointer}, ${offset}` : pointer;

/** The names of the sums of a row, and the half of 8 columns that each has. */
function sums({ blocks }: Tile, row: number): { name: string; block: Block; half: number }[] {
  return blocks.flatMap((block) => HALVES.map((half) => ({ name: `${block.c}${row}${half}`, block, half })));
}

/** `let c00 = zero(), …`: a line for each block. */
function declare(tile: Tile): string {
  return tile.blocks.map(({ c }) =>
    `  let ${range(tile.rows).flatMap((row) => HALVES.map((half) => `${c}${row}${half} = zero()`)).join(", ")};`
  ).join("\n");
}

/** The columns' second names, by the pointer they come from: b0 and b1, d0 and d1. */
const COLUMNS = "bd";

/** The multiply-adds of the depths given: vectors of A that hold several numbers are loaded where they are first used. */
function multiply(tile: Tile, depths: number, indent: string): string {
  const { blocks, rows, spread } = tile;
  const as = distinct(blocks.map(({ a }) => a)), bs = distinct(blocks.map(({ b }) => b)), lines: string[] = [];
  const column = (b: string, half: number) => `${COLUMNS[bs.indexOf(b)]}${half}`;
  // Vectors of four depths of a row are needed for all of them; those of four rows go from depth to depth.
  const byRow = range(rows).filter((row) => spread === "lanes" && depths > 1 && tile.a(row, 1) === tile.a(row, 0) + 4);
  for (const depth of range(depths)) {
    const word = depth ? "" : "let ", first: string[] = [];
    if (depth % 4 === 0) {
      for (const row of byRow) first.push(`a${row} = v128.load(${at(as[0]!, tile.a(row, depth))})`);
    }
    if (spread === "lanes" && !byRow.includes(0)) first.push(`a = v128.load(${at(as[0]!, tile.a(0, depth))})`);
    for (const b of bs) {
      for (const half of HALVES) first.push(`${column(b, half)} = v128.load(${at(b, 32 * depth + 16 * half)})`);
    }
    lines.push(`${word}${first.join(", ")};`);
    for (const row of range(rows)) {
      for (const a of as) {
        const number = spread === "loads" || depths === 1 && row >= 4
          ? `v128.load32_splat(${at(a, tile.a(row, depth))})`
          : byRow.includes(row)
          ? `lane${depth % 4}(a${row})`
          : `lane${row}(a)`;
        const adds = sums(tile, row).filter(({ block }) => block.a === a).map(({ name, block, half }) =>
          `${name} = madd(s, ${column(block.b, half)}, ${name})`
        );
        const declared = depth === 0 && row === 0 && a === as[0] ? "let " : "";
        lines.push(`${declared}s = ${number};`, `${adds.join(", ")};`);
      }
    }
  }
  return lines.map((line) => indent + line).join("\n");
}

/** C (PANEL, 8) = start + panel (PANEL, K) · B (K, 8), for each of `groups` groups, `wide` two of them at once. */
function panelProduct(name: string, wide: boolean): string {
  const first = { c: "c", a: "p", b: "q" }, step = wide ? 2 : 1;
  const tile: Tile = {
    rows: PANEL,
    blocks: wide ? [first, { c: "e", a: "p", b: "r" }] : [first],
    spread: wide ? "loads" : "lanes",
    a: panelPlace,
  };
  return `export function ${name}(
  c: usize, ldc: usize, panel: usize, b: usize, ldb: usize, start: i32, bias: usize, rows: i32, K: i32, groups: i32,
): void {
  for (; groups > ${step - 1}; groups -= ${step}) {
${wide ? "    const e = c + ldc, r0 = b + ldb;\n" : ""}${
    productBody(tile, "let p = panel, q = b" + (wide ? ", r = r0" : ""))
  }
    c += ${wide ? "2 * " : ""}ldc, b += ${wide ? "2 * " : ""}ldb;
  }
${wide ? "  if (groups) panelProduct(c, ldc, panel, b, ldb, start, bias, rows, K, 1);\n" : ""}}
`;
}

/** The same for two panels and one group. */
function panelProductTall(name: string): string {
  const blocks = [{ c: "c", a: "p", b: "q" }, { c: "e", a: "r", b: "q" }];
  const tile: Tile = { rows: PANEL, blocks, spread: "loads", a: panelPlace };
  return `export function ${name}(c: usize, panel: usize, next: usize, b: usize, start: i32, bias: usize, rows: i32, K: i32): void {
  const e = c + ${PANEL} * FEATURE;
${productBody(tile, "let p = panel, r = next, q = b")}
}
`;
}

/** A panel holds, for four columns, a vector of four rows for each and then one of row 4: packPanels. */
function panelPlace(row: number, depth: number): number {
  return 80 * (depth >> 2) + (row < 4 ? 16 * (depth & 3) + 4 * row : 64 + 4 * (depth & 3));
}

function productBody(tile: Tile, pointers: string): string {
  const { blocks, rows } = tile, tall = distinct(blocks.map(({ a }) => a)).length > 1;
  const moved = distinct(blocks.flatMap(({ a, b }) => [a, b]));
  const advance = (a: number, b: number) =>
    moved.map((pointer) => `${pointer} += ${blocks.some((block) => block.a === pointer) ? a : b}`).join(", ");
  const fill = range(rows).map((row) => {
    const done = new Set<string>();
    return sums(tile, row).map(({ name, block }) => {
      const same = `${tall ? block.c : "c"}${row}0`;
      if (done.has(same)) return `${name} = ${same}`;
      done.add(same);
      return `${name} = v128.load32_splat(${at("bias", 4 * (row + (tall && block !== blocks[0] ? PANEL : 0)))})`;
    }).join(", ");
  });
  const places = range(rows).map((row) => sums(tile, row).map((sum) => ({ ...sum, place: 32 * row + 16 * sum.half })));
  const add = places.map((row) => row.map(({ name, block, place }) => `${name} = v128.load(${at(block.c, place)})`));
  const store = (row: number, of: Block[]) =>
    places[row]!.filter(({ block }) => of.includes(block)).map(({ name, block, place }) =>
      `v128.store(${block.c}, ${name}${place ? `, ${place}` : ""})`
    ).join(", ") + ";";
  const guarded = (row: number, text: string) => row ? `if (rows > ${row}) ${text}` : text;
  const stores = tall
    ? [
      ...range(rows).map((row) => store(row, [blocks[0]!])),
      ...range(rows).map((row) => guarded(row + PANEL, store(row, [blocks[1]!]))),
    ]
    : range(rows).map((row) => guarded(row, store(row, [...blocks])));
  // A tail's panel holds its rows one after the other.
  const tail: Tile = { ...tile, a: (row) => 4 * row };
  return `${declare(tile)}
  if (start == START_BIAS) {
${fill.map((line) => `    ${line};`).join("\n")}
  } else if (start == START_ADD) {
${add.map((line) => `    ${line.join(", ")};`).join("\n")}
  }
  ${pointers};
${
    tile.spread === "lanes"
      ? `  let k = K;
  for (; k >= 8; k -= 8) {
${multiply(tile, 8, "    ")}
    ${advance(32 * rows, 256)};
  }
  if (k >= 4) {
${multiply(tile, 4, "    ")}
    ${advance(16 * rows, 128)};
  }
`
      : `  for (let k = K; k >= 4; k -= 4) {
${multiply(tile, 4, "    ")}
    ${advance(16 * rows, 128)};
  }
`
  }  for (let last = K & 3; last > 0; last--) {
${multiply(tail, 1, "    ")}
    ${advance(4 * rows, 32)};
  }
${stores.map((line) => `  ${line}`).join("\n")}`;
}

/** C (rows, 8 or 16) (+)= Σ over groups of A (rows, 8 lanes) · B (8 lanes, 8 or 16). */
function outerTile(name: string, rows: number, wide: boolean): string {
  const first = { c: "c", a: "a", b: "b" };
  const tile: Tile = {
    rows,
    blocks: wide ? [first, { c: "e", a: "a", b: "f" }] : [first],
    spread: wide ? "loads" : "lanes",
    a: (row, depth) => 32 * row + 4 * depth,
  };
  return outer(
    name,
    `a: usize, lda: usize, b: usize, ${wide ? "panel: usize, " : ""}groups: i32`,
    range(rows).map((row) =>
      sums(tile, row).map(({ name, block, half }) => ({ name, place: 32 * tile.blocks.indexOf(block) + 16 * half }))
    ),
    multiply(tile, wide ? 4 : 8, "    "),
    wide,
  );
}

/** C (rows, 4): the columns of half a block. Row by row, for which all four vectors of B are held. */
function outerTileNarrow(name: string, rows: number): string {
  const lines: string[] = [];
  for (const half of HALVES) {
    const word = half ? "" : "let ";
    lines.push(`${word}${range(4).map((k) => `b${k} = v128.load(${at("b", 128 * half + 32 * k)})`).join(", ")};`);
    for (const row of range(rows)) {
      lines.push(`${row ? "" : word}x = v128.load(${at("a", 32 * row + 16 * half)});`);
      lines.push(`c${row} = ${range(4).reduce((sum, k) => `madd(lane${k}(x), b${k}, ${sum})`, `c${row}`)};`);
    }
  }
  const places = range(rows).map((row) => [{ name: `c${row}`, place: 0 }]);
  const body = lines.map((line) => `    ${line}`).join("\n");
  return outer(name, "a: usize, lda: usize, b: usize, groups: i32", places, body, false);
}

function outer(
  name: string,
  params: string,
  places: { name: string; place: number }[][],
  body: string,
  wide: boolean,
): string {
  const each = (line: (sum: { name: string; place: number }, pointer: string) => string) =>
    places.map((row, r) => row.map((sum) => line(sum, r ? `c + ${r} * ldc` : "c")).join(", ") + ";");
  return `export function ${name}(c: usize, ldc: usize, ${params}, add: bool): void {
  let ${places.flat().map(({ name }) => `${name} = zero()`).join(", ")};
  if (add) {
${each(({ name, place }, pointer) => `${name} = v128.load(${at(pointer, place)})`).map((l) => `    ${l}`).join("\n")}
  }
${wide ? "  let f = b + panel;\n" : ""}  ${
    wide
      ? `for (let half = groups << 1; half > 0; half--) {
${body}
    // The second half of a group is 16 bytes on, the next group what is left of lda.
    a += half & 1 ? lda - 16 : 16, b += 128, f += 128;`
      : `for (; groups > 0; groups--) {
${body}
    a += lda, b += 256;`
  }
  }
${
    each(({ name, place }, pointer) => `v128.store(${pointer}, ${name}${place ? `, ${place}` : ""})`).map((l) =>
      `  ${l}`
    )
      .join("\n")
  }
}
`;
}

/** The source of "./tiles". */
export function tiles(): string {
  const lanes = range(4).map((lane) =>
    `@inline function lane${lane}(x: v128): v128 { return i32x4.shuffle(x, x, ${
      range(4).map(() => lane).join(", ")
    }); }`
  );
  return [
    `import { FEATURE } from "./constants";
import { madd, zero } from "./simd";
export const START_ZERO: i32 = 0, START_BIAS: i32 = 1, START_ADD: i32 = 2;
${lanes.join("\n")}
`,
    panelProduct("panelProduct", false),
    panelProduct("panelProductWide", true),
    panelProductTall("panelProductTall"),
    outerTile("outerTile", 4, false),
    outerTileNarrow("outerTileNarrow", 8),
    outerTile("outerTileWide", 6, true),
  ].join("\n");
}
