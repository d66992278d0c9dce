import { equal, type Json, type JsonObject } from "@questlog/client";
import { useView } from "@questlog/react";
import { useCallback, useEffect, useState } from "react";
import { placeOf } from "../shared/server.js";
import { useDesk } from "./desk.js";

/** The campaign's visibility, as it is now. */
export interface Rules {
  default: string;
  rules: readonly JsonObject[];
  /** Put other rules in force, with a way back; the default stays. Returns whether it was done. */
  put(says: string, rules: readonly JsonObject[], more?: More): Promise<boolean>;
}

interface More {
  /** The default, where it is another too. */
  default?: string;
  /** The rules that these were made of, where they may be others by now. */
  base?: Told;
}

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

  const put = useCallback(
    async (says: string, rules: readonly JsonObject[], more: More = {}) => {
      if (path === null) return false;
      const { default: other = known.default, base = known } = more;
      const still = async (these: Told): Promise<void> => {
        const now = await server.call<Told>(path);
        if (!isSame(now, these)) {
          throw new Error("The rules have changed meanwhile: look at them under Visibility.");
        }
      };
      const put = ({ rules, ...more }: Told) =>
        server.call(path, { method: "PUT", body: { ...more, rules: [...rules] } });
      const [before, after] = [known, { default: other, rules: [...rules] }];
      const back = async (): Promise<void> => {
        await still(after);
        await put({ default: before.default, rules: [...before.rules] });
      };
      const work = async (): Promise<void> => {
        await still(base);
        await put(after);
      };
      return await desk.run(says, work, back);
    },
    [path, desk, server, known],
  );
  return { ...known, put };
}

function isSame(one: Told, other: Told): boolean {
  return one.default === other.default && equal(one.rules as Json, other.rules as Json);
}
