/**
 * A campaign out of a file: a document, or a recording, which is performed step by step.
 *
 * The log is made anew by that, each step one commit under an id of its own: an import that was
 * broken off goes on where it was. A log that was exported keeps its own history, hashes and all,
 * and is no such file.
 */

import { isObject, type JsonObject } from "@questlog/client";
import { CallError, placeOf, type Server } from "../shared/server.js";

const GZIP = [0x1f, 0x8b];
const XZ = [0xfd, 0x37];
const LONGEST_KIND = 55;
const EXISTS = ["campaign_exists", "id_reused"];

/** A sentence for why nothing comes of a file. */
class FileError extends Error {
  override name = "FileError";
}

/**
 * Make a campaign of a file.
 *
 * @param told how many steps have been performed.
 * @throws FileError: it is none that can be brought in here; CallError: the server says no.
 */
export async function bringIn(
  server: Server,
  campaignId: string,
  title: string | null,
  file: File,
  told: (steps: number) => void,
): Promise<void> {
  const lines = linesOf(await plain(file));
  const { document, isRecording } = await beginning(lines);
  const named = title === null ? {} : { title };
  // Whoever brings it in again goes on with it: what is there is found to be the same.
  const body = { structured_data: document, ...named };
  try {
    await server.call(placeOf(campaignId), { method: "PUT", body, key: "import-0" });
  } catch (error) {
    if (!(error instanceof CallError && EXISTS.includes(error.code))) throw error;
    throw new FileError(`There is a campaign ${campaignId} already, which began otherwise.`);
  }
  let steps = 0;
  if (!isRecording) return;
  for await (const line of uncut(lines, () => steps)) {
    if (line.trim() === "") continue;
    steps += 1;
    await perform(server, campaignId, steps, parsed(line));
    told(steps);
  }
}

/** @throws FileError: they end too early, which says how far they were brought in. */
async function* uncut(lines: AsyncGenerator<string>, steps: () => number): AsyncGenerator<string> {
  try {
    yield* lines;
  } catch {
    const sentence = `The file is cut off or damaged after step ${steps()}, up to which it is in.`;
    throw new FileError(`${sentence} The whole of it goes on from there.`);
  }
}

async function perform(
  server: Server,
  campaignId: string,
  number: number,
  step: unknown,
): Promise<void> {
  if (!isObject(step) || !isObject(step.state)) {
    throw new FileError(`Step ${number} of the recording holds no state; those before it are in.`);
  }
  const path = `${placeOf(campaignId)}/events`;
  const kind = kindOf(step.kind);
  const { ts = null, actor = null } = step;
  const body = { id: `import-${number}`, structured_data: step.state, meta: { ts, actor } };
  try {
    await server.call(path, { body: { ...body, kind } });
  } catch (error) {
    // Some kinds are the server's own.
    if (!(error instanceof CallError && error.code === "invalid")) throw error;
    await server.call(path, { body: { ...body, kind: `recorded.${kind}` } });
  }
}

/** Any word as a kind that may be committed. */
function kindOf(word: unknown): string {
  const words = String(word ?? "")
    .toLowerCase()
    .replaceAll(/[^a-z0-9_.-]/g, "_")
    .split(".");
  const kept = words.map(each => each.replaceAll(/^[_-]+|[_-]+$/g, "")).filter(Boolean);
  if (kept.length === 0) return "step";
  const kind = kept
    .join(".")
    .slice(0, LONGEST_KIND)
    .replace(/[._-]+$/, "");
  return /^[a-z]/.test(kind) ? kind : `recorded.${kind}`;
}

async function beginning(
  lines: AsyncGenerator<string>,
): Promise<{ document: JsonObject; isRecording: boolean }> {
  const { value: first = "" } = await lines.next();
  let value = parsed(first);
  if (value === undefined) {
    // A document over many lines, as people write it.
    let text = first;
    for await (const line of lines) text += `\n${line}`;
    value = parsed(text);
  }
  if (!isObject(value)) throw new FileError("The file holds no document.");
  if (String(value.format).startsWith("questlog.log.")) {
    throw new FileError(
      "This is a whole log, with its history: it is brought in by `questlog import FILE`.",
    );
  }
  const { initial_state: initial } = value;
  return isObject(initial)
    ? { document: initial, isRecording: true }
    : { document: value, isRecording: false };
}

/** JSON as it will be sent on: integers that a browser would round keep their digits. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text, exact);
  } catch (error) {
    if (error instanceof FileError) throw error;
    return undefined;
  }
}

/** What newer engines can do with a number's own text (a stage 4 proposal of ECMAScript). */
interface Sourced {
  rawJSON?: (text: string) => object;
}

function exact(_: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== "number" || !Number.isInteger(value)) return value;
  if (Number.isSafeInteger(value)) return value;
  const { rawJSON } = JSON as Sourced;
  if (rawJSON === undefined || context?.source === undefined) {
    throw new FileError("This browser would round a number in it: use `questlog play FILE`.");
  }
  return /^-?[0-9]+$/.test(context.source) ? rawJSON(context.source) : value;
}

async function plain(file: File): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
  const begins = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  const is = (magic: number[]) => magic.every((byte, index) => begins[index] === byte);
  if (is(XZ)) throw new FileError("Browsers cannot read .xz: unpack it first.");
  const stream = file.stream();
  return is(GZIP) ? stream.pipeThrough(new DecompressionStream("gzip")) : stream;
}

async function* linesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    const lines = (rest + read.value).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}
