/** The game as a player sees it, beside one's own: asked of the server, which alone hides things. */

import type { Json, JsonObject, Member } from "@questlog/client";
import { usePart, useView } from "@questlog/react";
import { useEffect, useMemo, useState } from "react";
import { charactersOf } from "../shared/document.js";
import { placeOf } from "../shared/server.js";
import { Tree } from "../shared/Tree.js";
import { useDesk } from "./desk.js";
import type { Rules } from "./useRules.js";

const NOBODY: readonly Member[] = [];
const SOON = 150;

interface Told {
  structured_data: JsonObject;
}

/** Whom the game may be seen as: those at the table, and those who have a character. */
export function useViewers(): string[] {
  const members = useView(view => view.company.members, NOBODY);
  const characters = usePart("/characters");
  return useMemo(() => {
    const here = members.flatMap(each =>
      each.role === "player" && each.player_id !== null ? [each.player_id] : [],
    );
    const owned = charactersOf(characters).map(each => each.player ?? each.key);
    const players = [...new Set([...here, ...owned])].filter(isName).sort();
    return [...players.map(each => `player:${each}`), "player", "spectator"];
  }, [members, characters]);
}

/** Whether a player can be called so: of characters, the keys are taken for their players. */
function isName(name: string): boolean {
  return /^[^\s/\\?#%"<>{}]{1,128}$/.test(name);
}

export function nameOfViewer(viewer: string): string {
  if (viewer === "player") return "A player without a name";
  if (viewer === "spectator") return "A spectator";
  return viewer.replace(/^player:/, "");
}

/**
 * A viewer's view of the present document, under the rules in force or under others.
 *
 * @param rules what is tried out; null: what is in force.
 */
export function useViewOf(viewer: string, rules: Pick<Rules, "default" | "rules"> | null) {
  const { server } = useDesk();
  const campaignId = useView(view => view.campaignId, null);
  const version = useView(view => view.version, 0);
  const [seen, setSeen] = useState<{ viewer: string; document: JsonObject } | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const tried = rules === null ? null : JSON.stringify({ ...rules });

  // biome-ignore lint/correctness/useExhaustiveDependencies: asked again at every version
  useEffect(() => {
    if (campaignId === null) return;
    let wanted = true;
    const path = placeOf(campaignId);
    // In a fight versions come faster than anybody reads.
    const timer = setTimeout(() => {
      const asked =
        tried === null
          ? server.call<Told>(`${path}/state?as=${encodeURIComponent(viewer)}`)
          : server.call<Told>(`${path}/visibility/preview`, {
              body: { visibility: JSON.parse(tried), as: viewer },
            });
      asked.then(
        told => {
          if (!wanted) return;
          setSeen({ viewer, document: told.structured_data });
          setProblem(null);
        },
        (error: Error) => wanted && setProblem(error.message),
      );
    }, SOON);
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [campaignId, version, viewer, tried, server]);
  // What another saw is never shown under this one's name.
  return { document: seen?.viewer === viewer ? seen.document : null, problem };
}

export function SeeAs({ rules = null }: { rules?: Pick<Rules, "default" | "rules"> | null }) {
  const viewers = useViewers();
  const [chosen, setChosen] = useState<string | null>(null);
  const viewer = chosen ?? viewers[0] ?? "player";
  const { document, problem } = useViewOf(viewer, rules);
  return (
    <div className="board see">
      <div className="row">
        <h2>See as</h2>
        <select
          aria-label="See as whom"
          value={viewer}
          onChange={event => setChosen(event.target.value)}
        >
          {viewers.map(each => (
            <option key={each} value={each}>
              {nameOfViewer(each)}
            </option>
          ))}
        </select>
      </div>
      {problem !== null && <p className="ember small">{problem}</p>}
      {document !== null &&
        Object.entries(document).map(([member, value]: [string, Json]) => (
          <Tree key={member} name={member} value={value} depth={1} />
        ))}
    </div>
  );
}
