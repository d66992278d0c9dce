// A seat at the table: an invite becomes a token, and the token a live view.
//
// The invite's secret comes behind the #, which no browser sends anywhere, and leaves the address
// bar at once. Text from the table is only ever text: nothing here makes HTML of it. The page asks
// for whole documents (mode=full), because it knows no patches.

const LAST_FINAL = 4499;
const FIRST_FINAL = 4400;
const LONGEST_PAUSE = 15_000;
const ASK_AFTER = 20_000;
// The server may stand below a prefix of another's; this file knows where it came from.
const SERVER = new URL("..", import.meta.url);

const at = (id) => document.getElementById(id);
const wanted = new URLSearchParams(location.search).get("campaign_id") ?? "";
const given = new URLSearchParams(location.hash.slice(1));
history.replaceState(null, "", location.pathname + location.search);

function say(text, problem = false) {
  at("status").textContent = text;
  at("status").classList.toggle("problem", problem);
}

// Kept for when the page is opened again, where the browser lets it be kept at all.
const shelf = {
  get(name) {
    try {
      return localStorage.getItem(`questlog.${name}`);
    } catch {
      return null;
    }
  },
  set(name, value) {
    try {
      localStorage.setItem(`questlog.${name}`, value);
    } catch {
      // A private window forgets; the seat then lasts as long as the page is open.
    }
  },
};

// One id for each invite: asked again after an answer got lost, the server knows it by that.
function joinId(invite) {
  const name = `join.${invite.slice(0, 8)}`;
  const kept = shelf.get(name);
  if (kept) return kept;
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const made = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  shelf.set(name, made);
  return made;
}

async function join(invite) {
  const answer = await fetch(new URL("api/join", SERVER), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ invite, id: joinId(invite) }),
  });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.detail ?? "The invite could not be opened.");
  return body;
}

async function seat() {
  const invite = given.get("invite");
  const token = given.get("token");
  if (token) return { token, campaign_id: wanted };
  const kept = JSON.parse(shelf.get(`seat.${wanted}`) ?? "null");
  if (!invite) {
    if (kept) return kept;
    throw new Error("This page opens with an invite: ask the DM for a link.");
  }
  try {
    const joined = await join(invite);
    shelf.set(`seat.${joined.campaign_id}`, JSON.stringify(joined));
    return joined;
  } catch (error) {
    // The link was used before, by this browser, which still has the seat.
    if (kept) return kept;
    throw error;
  }
}

function show(view) {
  at("table").hidden = false;
  at("story").textContent = typeof view.narrative === "string" ? view.narrative : "";
  at("document").textContent = JSON.stringify(view, null, 2);
  at("party").replaceChildren(...heroes(view.characters).map(line));
}

function heroes(characters) {
  if (typeof characters !== "object" || characters === null) return [];
  return Object.values(characters).filter(
    (each) => Number.isFinite(each?.hp?.current) && Number.isFinite(each?.hp?.max),
  );
}

function line({ name, hp }) {
  const item = document.createElement("li");
  const label = document.createElement("span");
  const bar = document.createElement("meter");
  const points = document.createElement("small");
  label.textContent = String(name ?? "?");
  bar.max = Math.max(hp.max, 1);
  bar.low = bar.max / 3;
  bar.optimum = bar.max;
  bar.value = hp.current;
  points.textContent = `${hp.current} / ${hp.max}`;
  item.append(label, bar, points);
  return item;
}

function follow({ token, campaign_id }) {
  let attempt = 0;
  const connect = () => {
    const url = new URL("ws/campaign/player", SERVER);
    url.protocol = url.protocol.replace("http", "ws");
    url.searchParams.set("campaign_id", campaign_id);
    url.searchParams.set("mode", "full");
    const socket = new WebSocket(url, ["questlog.v1", `bearer.${token}`]);
    let refusal = "";
    let version = 0;
    const asking = setInterval(() => {
      if (socket.readyState === WebSocket.OPEN) {
        socket.send(JSON.stringify({ type: "heartbeat", version }));
      }
    }, ASK_AFTER);
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      if (message.type === "error") refusal = message.message;
      if (message.version) version = message.version;
      if (!message.structured_data) return;
      attempt = 0;
      say(`Live, at version ${message.version}.`);
      show(message.structured_data);
    };
    socket.onclose = ({ code }) => {
      clearInterval(asking);
      if (code >= FIRST_FINAL && code <= LAST_FINAL) {
        say(refusal || "The server will not have this seat back.", true);
        return;
      }
      const pause = Math.min(500 * 2 ** attempt++, LONGEST_PAUSE) * (0.5 + Math.random() / 2);
      say("Not connected: trying again …", true);
      setTimeout(connect, pause);
    };
  };
  connect();
}

try {
  const mine = await seat();
  at("campaign").textContent = mine.campaign_id;
  document.title = mine.campaign_id;
  at("seat").textContent = mine.player_id ? `You are ${mine.player_id}.` : "";
  at("token").textContent = mine.token;
  say("Connecting …");
  follow(mine);
} catch (error) {
  say(error.message, true);
}
