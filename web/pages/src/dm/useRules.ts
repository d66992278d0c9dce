import { equal, type Json, type JsonObject } from "@questlog/client";
import { useView } from "@questlog/react";
import { useEffect, useMemo, useState } from "react";
import { placeOf } from "../shared/server.js";
import { useDesk } from "./desk.js";

/** The campaign's visibility, as it is now. */
export interface Rules {
  default: string;
  rules: readonly JsonObject[];
  /** Change the rules that are in force by then, and be able to change them back. */
  change(says: string, make: Make, back: Make): Promise<boolean>;
  /** Put rules in the place of those that they were made of, if those are in force still. */
  put(says: string, told: Told, base: Told): Promise<boolean>;
}

type Make = (rules: readonly JsonObject[]) => JsonObject[];

export type Told = Pick<Rules, "default" | "rules">;

const NONE: readonly JsonObject[] = [];

/** The rules are no part of the document: they are asked for when the log has moved. */
export function useRules(): Rules {
  const desk = useDesk();
  const { server } = desk;
  const campaignId = useView(view => view.campaignId, null);
  const version = useView(view => view.version, 0);
  const [known, setKnown] = useState<Told>({
    default: "visible",
    rules: NONE,
  });
  const path = campaignId === null ? null : `${placeOf(campaignId)}/visibility`;

  // biome-ignore lint/correctness/useExhaustiveDependencies: asked again at every version
  useEffect(() => {
    if (path === null) return;
    let wanted = true;
    server
      .call<Told>(path)
      .then(told => {
        if (!wanted) return;
        setKnown(before =>
          isSame(before, told) ? before : { default: told.default, rules: told.rules },
        );
      })
      // Without a connection they stay what they were: the light says that.
      .catch(() => {});
    return () => {
      wanted = false;
    };
  }, [path, version, server]);

  const changes = useMemo(() => {
    const read = () => server.call<Told>(path ?? "");
    const write = ({ default: other, rules }: Told) =>
      server.call(path ?? "", { method: "PUT", body: { default: other, rules: [...rules] } });
    const made = (make: Make) => async (): Promise<void> => {
      const now = await read();
      await write({ ...now, rules: make(now.rules) });
    };
    const replaced = (these: Told, by: Told) => async (): Promise<void> => {
      if (!isSame(await read(), these)) {
        throw new Error("The rules have changed meanwhile: look at them under Visibility.");
      }
      await write(by);
    };
    return {
      change: (says: string, make: Make, back: Make) => desk.run(says, made(make), made(back)),
      put: (says: string, told: Told, base: Told) =>
        desk.run(says, replaced(base, told), replaced(told, base)),
    };
  }, [path, desk, server]);
  return { ...known, ...changes };
}

function isSame(one: Told, other: Told): boolean {
  return one.default === other.default && equal(one.rules as Json, other.rules as Json);
}
