/**
 * Whether a text is in JSON, however the letters are written, big or small.
 *
 * @param json lower-case JSON.
 * @param wanted as somebody reads it, or as it is written in JSON.
 */
export function hasText(json: string, wanted: string): boolean {
  const text = wanted.toLowerCase();
  return json.includes(text) || json.includes(JSON.stringify(text).slice(1, -1));
}
