/**
 * Where a value was before an operation, and whether that operation changed it: what
 * `eventstore/looking/tracing.py` does, so that this page blames whom `questlog blame` does.
 *
 * A value is known by its pointer. A list's elements change their places when one is put before
 * them or taken away, and a `move` takes a value elsewhere; so the pointer is carried back through
 * each operation to where the same value was before it.
 */

import {
  applyPatch,
  equal,
  getAt,
  type Json,
  joinPointer,
  type Operation,
  parsePointer,
} from "@questlog/client";

export type Path = readonly string[];

/**
 * Where a value was before `operations`, unchanged; null: nowhere.
 *
 * @param document as it was before them.
 * @param path where the value is after them.
 */
export function back(
  document: Json,
  operations: readonly Operation[],
  path: Path,
  value: Json,
): Path | null {
  const documents = [document];
  for (const operation of operations.slice(0, -1)) {
    documents.push(applyPatch(documents.at(-1) as Json, [operation]));
  }
  let place: Path | null = path;
  for (let step = operations.length - 1; step >= 0 && place !== null; step -= 1) {
    place = before(documents[step] as Json, operations[step] as Operation, place);
  }
  if (place === null) return null;
  const was = getAt(document, place);
  return was !== undefined && equal(was, value) ? place : null;
}

/** Where what is at `path` after an operation was before it; null: nowhere. */
export function before(document: Json, operation: Operation, path: Path): Path | null {
  const target = parsePointer(operation.path);
  switch (operation.op) {
    case "test":
      return path;
    case "remove":
      return afterRemoval(document, target, path);
    case "move":
      return afterMove(document, parsePointer(operation.from ?? ""), target, path);
    case "replace":
      if (!startsWith(path, target)) return path;
      // Put there by this operation; whether that changed it is for who compares the two.
      return getAt(document, path) === undefined ? null : path;
    default: {
      const place = resolved(document, target);
      if (!startsWith(path, place)) return afterAddition(document, place, path);
      const inserted = place.length > 0 && isList(document, place.slice(0, -1));
      return inserted || getAt(document, path) === undefined ? null : path;
    }
  }
}

/** A move is a removal and then an addition: undone in the other order. */
function afterMove(document: Json, source: Path, target: Path, path: Path): Path {
  const operation = { op: "remove", path: joinPointer(source) } as const;
  const without = source.length === 0 ? document : applyPatch(document, [operation]);
  const place = resolved(without, target);
  if (startsWith(path, place)) return [...source, ...path.slice(place.length)];
  return afterRemoval(document, source, afterAddition(without, place, path));
}

/** Where `path` was before something was added at `target`, which is not above it. */
function afterAddition(document: Json, target: Path, path: Path): Path {
  return shifted(document, target, path, -1);
}

/** Where `path` was before what is at `target` was removed. */
function afterRemoval(document: Json, target: Path, path: Path): Path {
  return shifted(document, target, path, 1);
}

/** `path` with the index that a change at `target` has moved put back, where there is one. */
function shifted(document: Json, target: Path, path: Path, by: 1 | -1): Path {
  const place = target.length - 1;
  if (place < 0 || path.length <= place || !startsWith(path, target.slice(0, place))) return path;
  if (!isList(document, target.slice(0, place))) return path;
  const index = Number(path[place]);
  if (index < Number(target[place])) return path;
  return [...path.slice(0, place), String(index + by), ...path.slice(place + 1)];
}

/** A target with the index that "-" stands for. */
function resolved(document: Json, target: Path): Path {
  const list = target.at(-1) === "-" ? getAt(document, target.slice(0, -1)) : undefined;
  return Array.isArray(list) ? [...target.slice(0, -1), String(list.length)] : target;
}

function isList(document: Json, path: Path): boolean {
  return Array.isArray(getAt(document, path));
}

function startsWith(path: Path, start: Path): boolean {
  return path.length >= start.length && start.every((token, index) => token === path[index]);
}
