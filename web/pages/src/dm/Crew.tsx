/** Who is here and who lags; the wheel; and how others come in. */

import type { Member } from "@questlog/client";
import { useClient, useView } from "@questlog/react";
import { generate } from "lean-qr";
import { toSvgPath } from "lean-qr/extras/svg";
import { type FormEvent, useEffect, useMemo, useState } from "react";
import { memberName } from "../play/Company.js";
import { placeOf } from "../shared/server.js";
import { useDesk } from "./desk.js";

const NOBODY: readonly Member[] = [];

export function Crew() {
  const members = useView(view => view.company.members, NOBODY);
  const version = useView(view => view.version, 0);
  return (
    <div className="board">
      <h2>At the table</h2>
      <ul className="company">
        {members.map(each => (
          <li key={`${each.role} ${each.player_id}`}>
            <span dir="auto">{memberName(each)}</span>
            <span className="hush small">{standing(each, version)}</span>
          </li>
        ))}
      </ul>
      <Wheel />
    </div>
  );
}

/** What is known of how far a member has come. */
function standing(member: Member, version: number): string {
  if (member.connections === 0) return "away";
  const behind = version - member.version;
  const lag = member.role === "dm" || behind <= 0 ? "" : `${behind} behind`;
  const devices = member.connections > 1 ? `${member.connections} devices` : "";
  return [member.status, lag, devices].filter(Boolean).join(", ");
}

/** One DM is at the wheel: another's commits that name an older lease are refused. */
function Wheel() {
  const client = useClient();
  const desk = useDesk();
  const lease = useView(view => view.company.lease, null);
  const mine = useView(view => view.steering, false);
  const campaignId = useView(view => view.campaignId, null);
  const held = lease?.lease ?? null;
  useEffect(() => {
    // After a reload this is still the console that took it.
    if (held !== null && keptLease(campaignId) === held) client?.holdLease(held);
  }, [client, held, campaignId]);
  if (client === null) return null;
  return (
    <div className="row">
      <p className="small hush">
        {held === null
          ? "Nobody is at the wheel."
          : mine
            ? "You are at the wheel."
            : `${lease?.name ?? lease?.member ?? "Another"} is at the wheel.`}
      </p>
      <button
        type="button"
        aria-pressed={mine}
        onClick={() =>
          void desk.attempt(async () => {
            if (mine) return client.releaseLease();
            const time = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
            const { version } = await client.takeLease(`A console, since ${time},`);
            keepLease(campaignId, version);
          })
        }
      >
        {mine ? "Let go" : "Take the wheel"}
      </button>
    </div>
  );
}

function leaseName(campaignId: string | null): string {
  return `questlog.lease ${campaignId ?? ""}`;
}

/** The lease that this tab has taken; null: none. */
function keptLease(campaignId: string | null): number | null {
  try {
    return Number(sessionStorage.getItem(leaseName(campaignId)) ?? Number.NaN);
  } catch {
    return null;
  }
}

function keepLease(campaignId: string | null, lease: number): void {
  try {
    sessionStorage.setItem(leaseName(campaignId), String(lease));
  } catch {
    // Then it is held for as long as the page is open.
  }
}

/** A link for a player, and the same for a phone's camera. */
export function Invite() {
  const desk = useDesk();
  const campaignId = useView(view => view.campaignId, null);
  const [player, setPlayer] = useState("");
  const [link, setLink] = useState<string | null>(null);

  async function make(event: FormEvent): Promise<void> {
    event.preventDefault();
    if (campaignId === null) return;
    await desk.attempt(async () => {
      const path = `${placeOf(campaignId)}/invites`;
      const body = { player_id: player.trim() };
      const told = await desk.server.call<{ secret: string }>(path, { body });
      const at = encodeURIComponent(campaignId);
      setLink(`${desk.seat.url}/play?campaign_id=${at}#invite=${told.secret}`);
    });
  }

  return (
    <div className="board">
      <h2>Invite</h2>
      <form className="tools" onSubmit={event => void make(event)}>
        <input
          aria-label="The player's id"
          placeholder="mira"
          value={player}
          onChange={event => {
            setPlayer(event.target.value);
            setLink(null);
          }}
        />
        <button type="submit" disabled={player.trim() === ""}>
          Make a link
        </button>
      </form>
      {link !== null && (
        <>
          <Code text={link} />
          <input
            readOnly
            aria-label="The link"
            value={link}
            onFocus={event => event.target.select()}
          />
          <p className="hush small">
            It is shown only now, and seats one browser as {player.trim()}.
          </p>
        </>
      )}
    </div>
  );
}

function Code({ text }: { text: string }) {
  const code = useMemo(() => generate(text), [text]);
  const size = code.size + 8;
  return (
    <svg
      className="code"
      role="img"
      aria-label="The link, for a camera"
      viewBox={`-4 -4 ${size} ${size}`}
    >
      <path className="paper" d={`M-4-4h${size}v${size}h-${size}z`} />
      <path className="ink" d={toSvgPath(code)} />
    </svg>
  );
}
