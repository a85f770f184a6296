/**
 * Python's pickles, as far as PyTorch's state dicts need them: a program for a small machine with a stack. Of its
 * instructions that call something, only those are followed that make the objects below, by name; nothing is ever executed.
 *
 * @module
 */

import { fail } from "../errors.ts";
import { type Dtype, isCount, quoted } from "./numbers.ts";

/** Numbers of one type in an entry of the file; tensors are views of it. */
export class Storage {
  constructor(readonly dtype: Dtype, readonly key: string, readonly count: number) {}
}

/** A view of a storage. */
export class Tensor {
  constructor(
    readonly storage: Storage,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {}
}

/** What a pickle can hold here; lists and tuples are arrays. */
export type Value = null | boolean | number | bigint | string | Value[] | Map<Value, Value> | Tensor | Storage | Global;

/** A name of Python's that is on the list. */
class Global {
  constructor(readonly name: string) {}
}

const ORDERED_DICT = "collections.OrderedDict",
  TENSOR = "torch._utils._rebuild_tensor_v2",
  PARAMETER = "torch._utils._rebuild_parameter";

/** Storages by their classes. */
const STORAGES: ReadonlyMap<string, Dtype> = new Map<string, Dtype>([
  ["torch.FloatStorage", "float32"],
  ["torch.DoubleStorage", "float64"],
  ["torch.HalfStorage", "float16"],
  ["torch.BFloat16Storage", "bfloat16"],
  ["torch.LongStorage", "int64"],
  ["torch.IntStorage", "int32"],
  ["torch.ShortStorage", "int16"],
  ["torch.CharStorage", "int8"],
  ["torch.ByteStorage", "uint8"],
  ["torch.BoolStorage", "bool"],
]);

/** Everything that a pickle may name. */
const ALLOWED: ReadonlySet<string> = new Set([ORDERED_DICT, TENSOR, PARAMETER, ...STORAGES.keys()]);

/** Bytes of a pickle, and objects that it may make: more would take much time and memory. A tensor takes some 200 bytes. */
const MOST_BYTES = 8e6, MOST_OBJECTS = 1e6;

/**
 * The object that a pickle describes.
 *
 * @param action What cannot be done if it is refused: `read "model.pt"`.
 * @throws {SyntaxError} If it is cut off or contradicts itself.
 * @throws {TypeError} If it wants anything that is not on the list.
 * @throws {RangeError} If it is too long or makes too many objects.
 */
export function unpickle(bytes: Uint8Array, action: string): Value {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let at = 0, objects = 0, stack: Value[] = [];
  const marked: Value[][] = [], memo = new Map<number, Value>();

  const broken = (why: string) => fail("file-malformed", action, `its pickle is broken at byte ${at}: ${why}`);
  const take = (count: number): number => {
    if (count > bytes.length - at) throw broken("it is cut off");
    return (at += count) - count;
  };
  const string = (count: number): string => {
    const from = take(count);
    try {
      return text.decode(bytes.subarray(from, at));
    } catch {
      throw broken("a text is not UTF-8");
    }
  };
  const line = (): string => {
    const end = bytes.indexOf(0x0a, at);
    if (end < 0 || end - at > 1000) throw broken("a name does not end");
    const name = string(end - at);
    at = end + 1;
    return name;
  };
  const pop = (): Value => {
    if (stack.length === 0) throw broken("its stack is empty");
    return stack.pop()!;
  };
  const made = <T extends Value>(object: T): T => {
    if (++objects > MOST_OBJECTS) {
      throw fail("file-too-large", action, `its pickle makes more than ${MOST_OBJECTS} objects`);
    }
    return object;
  };
  const tuple = (count: number) => {
    if (stack.length < count) throw broken("its stack is empty");
    stack.push(made(stack.splice(stack.length - count)));
  };
  /** What stands above the last mark. */
  const popMark = (): Value[] => {
    const items = stack, below = marked.pop();
    if (!below) throw broken("a mark is missing");
    stack = below;
    return items;
  };
  const setItems = (items: Value[]) => {
    const dict = stack.at(-1);
    if (!(dict instanceof Map) || items.length % 2) throw broken("it sets items of what is no dict");
    for (let i = 0; i < items.length; i += 2) dict.set(items[i]!, items[i + 1]!);
  };
  const append = (items: Value[]) => {
    const list = stack.at(-1);
    if (!Array.isArray(list)) throw broken("it appends to what is no list");
    for (const item of items) list.push(item);
  };
  const get = (index: number) => {
    const value = memo.get(index);
    if (value === undefined) throw broken(`it recalls ${index}, which it did not keep`);
    stack.push(value);
  };
  const put = (index: number) => {
    if (stack.length === 0) throw broken("its stack is empty");
    memo.set(index, stack.at(-1)!);
  };
  const global = () => {
    const name = `${line()}.${line()}`;
    if (!ALLOWED.has(name)) {
      throw fail(
        "file-unsupported",
        action,
        `it names ${quoted(name)}, which is refused: only tensors, dicts, lists, strings and numbers are read; ` +
          "save model.state_dict() by itself",
        { name },
      );
    }
    stack.push(made(new Global(name)));
  };
  const reduce = () => {
    const args = pop(), callable = pop();
    if (!(callable instanceof Global) || !Array.isArray(args)) throw broken("it calls what is no function");
    stack.push(made(build(callable.name, args)));
  };
  const build = (name: string, args: Value[]): Value => {
    const refused = () => broken(`${name} with arguments that PyTorch does not write`);
    if (name === ORDERED_DICT) {
      if (args.length > 0) throw refused();
      return new Map();
    }
    if (name === PARAMETER) {
      if (args.length !== 3 || !(args[0] instanceof Tensor)) throw refused();
      return args[0];
    }
    if (name !== TENSOR) throw refused();
    // Whether gradients are wanted, and hooks, say nothing here; metadata may follow.
    const [storage, offset, shape, strides, requiresGrad, hooks, metadata = null] = args;
    if (args.length < 6 || args.length > 7 || typeof requiresGrad !== "boolean") throw refused();
    if (!(hooks instanceof Map) || !(metadata === null || metadata instanceof Map)) throw refused();
    const counts = (list: Value | undefined): list is number[] => Array.isArray(list) && list.every(isCount);
    if (!(storage instanceof Storage) || !isCount(offset) || !counts(shape) || !counts(strides)) throw refused();
    if (shape.length !== strides.length) throw refused();
    return new Tensor(storage, offset, shape, strides);
  };
  const storage = () => {
    const id = pop();
    const [kind, type, key, device, count] = Array.isArray(id) && id.length === 5 ? id : [];
    const dtype = type instanceof Global ? STORAGES.get(type.name) : undefined;
    const texts = typeof key === "string" && typeof device === "string";
    if (kind !== "storage" || !dtype || !texts || !isCount(count)) {
      throw broken("it refers to what is no storage");
    }
    stack.push(made(new Storage(dtype, key, count)));
  };
  const long = () => {
    const count = bytes[take(1)]!, from = take(count);
    if (count > 8) throw broken(`an integer of ${count} bytes`);
    let value = 0n;
    for (let i = 0; i < count; i++) value |= BigInt(bytes[from + i]!) << BigInt(8 * i);
    value = BigInt.asIntN(8 * count, value);
    stack.push(Number.isSafeInteger(Number(value)) ? Number(value) : value);
  };

  if (bytes.length > MOST_BYTES) {
    throw fail("file-too-large", action, `its pickle is ${bytes.length} bytes, and at most ${MOST_BYTES} are read`);
  }
  if (bytes[0] !== 0x80 || bytes[1] !== 2) {
    throw fail(
      "file-unsupported",
      action,
      "it is no pickle of protocol 2, which torch.save writes if it is told nothing else",
    );
  }
  at = 2;
  while (true) {
    const opcode = bytes[take(1)]!;
    switch (String.fromCharCode(opcode)) {
      case ".": {
        const value = pop();
        if (stack.length || marked.length) throw broken("it ends with a stack that is not empty");
        return value;
      }
      case "(":
        marked.push(stack);
        stack = made([]);
        break;
      case "N":
        stack.push(null);
        break;
      case "\x88":
      case "\x89":
        stack.push(opcode === 0x88);
        break;
      case "K":
        stack.push(bytes[take(1)]!);
        break;
      case "M":
        stack.push(view.getUint16(take(2), true));
        break;
      case "J":
        stack.push(view.getInt32(take(4), true));
        break;
      case "\x8a":
        long();
        break;
      case "G":
        stack.push(view.getFloat64(take(8)));
        break;
      case "X":
        stack.push(string(view.getUint32(take(4), true)));
        break;
      case "}":
        stack.push(made(new Map()));
        break;
      case "]":
      case ")":
        stack.push(made([]));
        break;
      case "\x85":
      case "\x86":
      case "\x87":
        tuple(opcode - 0x84);
        break;
      case "t": {
        const items = popMark();
        stack.push(items);
        break;
      }
      case "s": {
        const value = pop(), key = pop();
        setItems([key, value]);
        break;
      }
      case "u":
        setItems(popMark());
        break;
      case "a":
        append([pop()]);
        break;
      case "e":
        append(popMark());
        break;
      case "q":
        put(bytes[take(1)]!);
        break;
      case "r":
        put(view.getUint32(take(4), true));
        break;
      case "h":
        get(bytes[take(1)]!);
        break;
      case "j":
        get(view.getUint32(take(4), true));
        break;
      case "c":
        global();
        break;
      case "R":
        reduce();
        break;
      case "Q":
        storage();
        break;
      case "b":
        // The only attribute that a state dict has is _metadata: versions of modules.
        if (!(pop() instanceof Map && stack.at(-1) instanceof Map)) {
          throw broken("it sets attributes of what is no dict");
        }
        break;
      default:
        throw fail(
          "file-unsupported",
          action,
          `its pickle has an instruction 0x${opcode.toString(16)} at byte ${at - 1}, which is refused`,
        );
    }
  }
}

/** Writes a pickle; what is written is what {@linkcode unpickle} reads, and no more. */
export class Pickler {
  readonly #bytes: number[] = [0x80, 2];

  /** Instructions by their letters. */
  op(letters: string): this {
    for (const letter of letters) this.#bytes.push(letter.charCodeAt(0));
    return this;
  }

  /** A name of Python's. */
  global(name: string): this {
    const dot = name.lastIndexOf(".");
    return this.op(`c${name.slice(0, dot)}\n${name.slice(dot + 1)}\n`);
  }

  string(value: string): this {
    const utf8 = new TextEncoder().encode(value);
    this.op("X").#uint32(utf8.length);
    for (const byte of utf8) this.#bytes.push(byte);
    return this;
  }

  /** An integer from 0 to 2^53. */
  count(value: number): this {
    if (value < 0x80000000) return this.op("J").#uint32(value);
    this.op("\x8a\x08").#uint32(value);
    return this.#uint32(value / 2 ** 32);
  }

  tuple(values: readonly number[]): this {
    this.op("(");
    for (const value of values) this.count(value);
    return this.op("t");
  }

  /** A dict of tensors of float32, each with a storage of its own: "0", "1", …. */
  tensors(tensors: readonly (readonly [name: string, Tensor])[]): this {
    this.global(ORDERED_DICT).op(")R(");
    for (const [name, { storage, offset, shape, strides }] of tensors) {
      this.string(name).global(TENSOR).op("((").string("storage").global("torch.FloatStorage").string(storage.key);
      this.string("cpu").count(storage.count).op("tQ").count(offset).tuple(shape).tuple(strides).op("\x89");
      this.global(ORDERED_DICT).op(")Rt").op("R");
    }
    return this.op("u");
  }

  /** The finished pickle. */
  end(): Uint8Array<ArrayBuffer> {
    return Uint8Array.from(this.op(".").#bytes);
  }

  #uint32(value: number): this {
    for (let shift = 0; shift < 32; shift += 8) this.#bytes.push(value >>> shift & 0xff);
    return this;
  }
}
