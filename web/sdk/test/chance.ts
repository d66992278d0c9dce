import { joinPointer } from "../src/pointer.js";
import type { Json, JsonObject, Operation } from "../src/values.js";
import { isObject } from "../src/values.js";

/** Random numbers that a seed repeats (mulberry32). */
export class Chance {
  constructor(private state: number) {}

  /** From 0 to 1. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }

  below(count: number): number {
    return Math.floor(this.next() * count);
  }

  of<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T;
  }

  value(depth = 2): Json {
    const kind = this.below(depth > 0 ? 7 : 5);
    if (kind === 5) return Array.from({ length: this.below(4) }, () => this.value(depth - 1));
    if (kind === 6) return this.object(depth - 1);
    return this.of<Json>([null, true, this.below(99), "ä🎲", this.below(9) / 8]);
  }

  object(depth = 2): JsonObject {
    const names = ["hp", "a/b", "m~n", "", "🐉", "list"];
    const chosen = names.filter(() => this.next() < 0.5);
    return Object.fromEntries(chosen.map(name => [name, this.value(depth)]));
  }

  /** An operation that can be carried out on `document`, and leaves it an object. */
  operation(document: JsonObject): Operation {
    const places = [...walk(document, [])];
    const inner = places.filter(([path]) => path.length > 0);
    const kind = this.below(inner.length > 0 ? 4 : 1);
    if (kind === 0) {
      const [path, container] = this.of(places.filter(([, value]) => isContainer(value)));
      const token = Array.isArray(container) ? this.place(container) : this.of(["hp", "list", "x"]);
      return { op: "add", path: joinPointer([...path, token]), value: this.value() };
    }
    const [path, value] = this.of(inner);
    if (kind === 1) return { op: "remove", path: joinPointer(path) };
    if (kind === 2) return { op: "replace", path: joinPointer(path), value: this.value() };
    return this.of<Operation>([
      { op: "copy", from: joinPointer(path), path: "/copied" },
      { op: "move", from: joinPointer(path), path: "/moved" },
      { op: "test", path: joinPointer(path), value },
    ]);
  }

  private place(list: Json[]): string {
    return this.next() < 0.3 ? "-" : String(this.below(list.length + 1));
  }
}

function isContainer(value: Json): value is Json[] | JsonObject {
  return Array.isArray(value) || isObject(value);
}

function* walk(value: Json, path: string[]): Generator<[string[], Json]> {
  yield [path, value];
  if (!isContainer(value)) return;
  for (const [name, child] of Object.entries(value)) yield* walk(child, [...path, name]);
}

/** The seed asked for, or another; a failing test names it. */
export function seedOf(): number {
  const asked = process.env.QUESTLOG_TEST_SEED;
  return asked === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(asked);
}
