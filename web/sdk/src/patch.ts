/**
 * RFC 6902 patches, applied copy-on-write.
 *
 * Strict where a replica's life hangs on it: an operation that cannot be carried out exactly as the
 * RFC has it is an error and never passed over, since a replica that goes on from it would be wrong
 * without knowing.
 */

import { arrayIndex, PatchError, parsePointer } from "./pointer.js";
import { equal, isObject, type Json, type JsonObject, type Operation } from "./values.js";

type Container = Json[] | JsonObject;

/**
 * The document that `operations` make of `document`, which stays as it is.
 *
 * Whatever they do not touch is shared with it: a part that is the same object has not changed.
 *
 * @throws PatchError: an operation cannot be carried out; nothing has happened.
 */
export function applyPatch(document: Json, operations: readonly Operation[]): Json {
  const editor = new Editor(document);
  for (const operation of operations) editor.step(operation);
  return editor.root;
}

class Editor {
  /** Containers made in this run, to which nothing else refers: they alone are written into. */
  private readonly owned = new Set<Container>();

  constructor(public root: Json) {}

  step(operation: Operation): void {
    const tokens = parsePointer(operation.path);
    switch (operation.op) {
      case "add":
        this.add(tokens, given(operation));
        return;
      case "replace":
        this.get(tokens);
        this.put(tokens, given(operation));
        return;
      case "remove":
        this.remove(tokens);
        return;
      case "test":
        if (!equal(this.get(tokens), given(operation))) throw new PatchError("the test fails");
        return;
      case "move": {
        const source = parsePointer(operation.from ?? missing("from"));
        if (source.every((token, index) => token === tokens[index])) {
          this.get(source);
          if (source.length === tokens.length) return;
          throw new PatchError("a value cannot be moved into itself");
        }
        this.add(tokens, this.remove(source));
        return;
      }
      case "copy": {
        const value = this.get(parsePointer(operation.from ?? missing("from")));
        // It now stands in two places: whatever this run owned inside it is its alone no more.
        this.owned.clear();
        this.add(tokens, value);
        return;
      }
      default:
        throw new PatchError("there is no such operation");
    }
  }

  private get(tokens: readonly string[]): Json {
    let value = this.root;
    for (const token of tokens) value = child(value, token);
    return value;
  }

  private add(tokens: readonly string[], value: Json): void {
    const parent = tokens.length > 0 ? this.parent(tokens) : null;
    if (!Array.isArray(parent)) {
      this.put(tokens, value);
      return;
    }
    const token = tokens.at(-1) as string;
    const at = token === "-" ? parent.length : arrayIndex(token, parent.length + 1);
    parent.splice(at, 0, value);
  }

  private put(tokens: readonly string[], value: Json): void {
    if (tokens.length === 0) this.root = value;
    else write(this.parent(tokens), tokens.at(-1) as string, value);
  }

  private remove(tokens: readonly string[]): Json {
    if (tokens.length === 0) throw new PatchError("the whole document cannot be removed");
    const parent = this.parent(tokens);
    const token = tokens.at(-1) as string;
    const value = child(parent, token);
    if (Array.isArray(parent)) parent.splice(Number(token), 1);
    else delete parent[token];
    return value;
  }

  /** The container of the last of `tokens`; it, and all above it, made this run's own. */
  private parent(tokens: readonly string[]): Container {
    let node = this.own(this.root);
    this.root = node;
    for (const token of tokens.slice(0, -1)) {
      const next = this.own(child(node, token));
      write(node, token, next);
      node = next;
    }
    return node;
  }

  private own(value: Json): Container {
    if (!Array.isArray(value) && !isObject(value)) throw new PatchError("there is nothing inside");
    if (this.owned.has(value)) return value;
    const fresh: Container = Array.isArray(value) ? value.slice() : { ...value };
    this.owned.add(fresh);
    return fresh;
  }
}

function child(container: Json, token: string): Json {
  if (Array.isArray(container)) return container[arrayIndex(token, container.length)] as Json;
  // Of its own: what every object inherits is no member of a document.
  if (!isObject(container) || !Object.hasOwn(container, token)) {
    throw new PatchError("there is nothing of this name");
  }
  return container[token] as Json;
}

function write(container: Container, token: string, value: Json): void {
  if (Array.isArray(container)) container[arrayIndex(token, container.length)] = value;
  else if (token !== "__proto__") container[token] = value;
  // Written as any other, it would become what the object inherits from, and vanish from the JSON.
  else
    Object.defineProperty(container, token, {
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    });
}

function given(operation: Operation): Json {
  return operation.value === undefined ? missing("value") : operation.value;
}

function missing(member: string): never {
  throw new PatchError(`the operation has no ${member}`);
}
