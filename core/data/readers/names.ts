/** Names of sequences that were there already, in little room: as strings in a set, a million take 100 MB. */

/** Most names of a part, and most bytes that it is begun with. */
const PART = 1 << 18, MOST_BYTES = 1 << 26;

/** Places of a part's table: some are free, so that a search ends. */
const PLACES = 2 * PART;

/** Parts that are kept: 2^20 names and more. */
const PARTS = 5;

const encoder = new TextEncoder();

/** The names that were there last, in a long file not all of them: memory must stay bounded. */
export class Names {
  /** The newest first. */
  readonly #parts = [new Part()];
  /** Nobody can choose names that all fall on one place. */
  readonly #seed = crypto.getRandomValues(new Uint32Array(1))[0]!;

  #room = new Uint8Array(1 << 10);

  /** Whether a name was there before. */
  has(name: string): boolean {
    const bytes = this.#encode(name), hash = this.#hash(bytes);
    return this.#parts.some((part) => part.has(bytes, hash));
  }

  /** Remembers a name that was not there before. */
  add(name: string): void {
    const bytes = this.#encode(name);
    if (this.#parts[0]!.isFull && this.#parts.unshift(new Part()) > PARTS) this.#parts.pop();
    this.#parts[0]!.add(bytes, this.#hash(bytes));
  }

  /** Its bytes, valid until the next are asked for. */
  #encode(name: string): Uint8Array {
    if (3 * name.length > this.#room.length) this.#room = new Uint8Array(6 * name.length);
    return this.#room.subarray(0, encoder.encodeInto(name, this.#room).written);
  }

  /** FNV-1a, its bits mixed as MurmurHash3 does at its end. */
  #hash(bytes: Uint8Array): number {
    let hash = this.#seed;
    for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
    hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b);
    hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35);
    return hash ^ hash >>> 16;
  }
}

/** Some names: their bytes one after the other, and where each is found. */
class Part {
  #bytes = new Uint8Array(1 << 12);
  #count = 0;
  readonly #ends = new Float64Array(PART);
  /** Numbers of names, from 1, each at the first free place from its hash on. */
  readonly #places = new Int32Array(PLACES);

  get isFull(): boolean {
    return this.#count === PART || this.#end(this.#count) > MOST_BYTES;
  }

  has(name: Uint8Array, hash: number): boolean {
    return this.#places[this.#placeOf(name, hash)] !== 0;
  }

  add(name: Uint8Array, hash: number): void {
    const start = this.#end(this.#count), end = start + name.length;
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(end, 2 * this.#bytes.length));
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(name, start);
    this.#places[this.#placeOf(name, hash)] = this.#count + 1;
    this.#ends[this.#count++] = end;
  }

  /** Where so many names end. */
  #end(count: number): number {
    return count ? this.#ends[count - 1]! : 0;
  }

  /** The place of a name, or the free one where it would be. */
  #placeOf(name: Uint8Array, hash: number): number {
    for (let place = hash & PLACES - 1;; place = place + 1 & PLACES - 1) {
      const number = this.#places[place]!;
      if (!number || this.#is(number, name)) return place;
    }
  }

  #is(number: number, name: Uint8Array): boolean {
    const start = this.#end(number - 1);
    if (this.#end(number) - start !== name.length) return false;
    for (let i = 0; i < name.length; i++) if (this.#bytes[start + i] !== name[i]) return false;
    return true;
  }
}
