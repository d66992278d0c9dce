/** A UUIDv7 (RFC 9562): the ids of one client are in the order in which they were made. */
export function freshId(now = Date.now()): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  for (let place = 0; place < 6; place += 1) {
    bytes[place] = Math.floor(now / 2 ** (8 * (5 - place))) % 256;
  }
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  const text = Array.from(bytes, byte => byte.toString(16).padStart(2, "0")).join("");
  return text.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** Whom a token names, where it says so: taken for a name to keep things under, and no more. */
export function subjectOf(token: string | null): string | null {
  const payload = token?.split(".")[1];
  if (token === null || payload === undefined) return token;
  try {
    const claims = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")));
    return JSON.stringify([claims.iss, claims.sub, claims.role]);
  } catch {
    return token;
  }
}
