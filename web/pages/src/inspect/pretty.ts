/**
 * JSON text with its members below each other, and otherwise as it was written: numbers keep their
 * digits and members their order, which a value that was parsed would not have.
 *
 * @param text JSON; anything else comes out as it happens to.
 */
export function pretty(text: string): string {
  let made = "";
  let depth = 0;
  let inString = false;
  for (let place = 0; place < text.length; place += 1) {
    const sign = text[place] as string;
    if (inString) {
      made += sign;
      if (sign === "\\") made += text[++place] ?? "";
      else if (sign === '"') inString = false;
    } else if (sign === '"') {
      inString = true;
      made += sign;
    } else if (sign === "{" || sign === "[") {
      const closed = /^\s*[}\]]/.exec(text.slice(place + 1, place + 50));
      if (closed !== null) {
        made += sign + (sign === "{" ? "}" : "]");
        place += closed[0].length;
      } else {
        depth += 1;
        made += sign + line(depth);
      }
    } else if (sign === "}" || sign === "]") {
      depth -= 1;
      made += line(depth) + sign;
    } else if (sign === ",") made += sign + line(depth);
    else if (sign === ":") made += ": ";
    else if (!/\s/.test(sign)) made += sign;
  }
  return made;
}

function line(depth: number): string {
  return `\n${"  ".repeat(Math.max(0, depth))}`;
}
