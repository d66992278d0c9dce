import type { JsonObject } from "@questlog/client";
import { useView } from "@questlog/react";
import { useCallback, useEffect, useState } from "react";
import { placeOf } from "../shared/server.js";
import { useDesk } from "./desk.js";

/** The campaign's visibility, as it is now. */
export interface Rules {
  default: string;
  rules: readonly JsonObject[];
  /** Put other rules in force; the default stays. */
  put(rules: readonly JsonObject[], other?: string): Promise<boolean>;
}

const NONE: readonly JsonObject[] = [];

/** The rules are no part of the document: they are asked for when the log has moved. */
export function useRules(): Rules {
  const { attempt, server } = useDesk();
  const campaignId = useView(view => view.campaignId, null);
  const version = useView(view => view.version, 0);
  const [known, setKnown] = useState<Pick<Rules, "default" | "rules">>({
    default: "visible",
    rules: NONE,
  });
  const path = campaignId === null ? null : `${placeOf(campaignId)}/visibility`;

  // biome-ignore lint/correctness/useExhaustiveDependencies: asked again at every version
  useEffect(() => {
    if (path === null) return;
    let wanted = true;
    server
      .call<Pick<Rules, "default" | "rules">>(path)
      .then(told => {
        if (!wanted) return;
        setKnown(before =>
          JSON.stringify(before.rules) === JSON.stringify(told.rules) &&
          before.default === told.default
            ? before
            : { default: told.default, rules: told.rules },
        );
      })
      // Without a connection they stay what they were: the light says that.
      .catch(() => {});
    return () => {
      wanted = false;
    };
  }, [path, version, server]);

  const put = useCallback(
    async (rules: readonly JsonObject[], other: string = known.default): Promise<boolean> =>
      path !== null &&
      (await attempt(() =>
        server.call(path, { method: "PUT", body: { default: other, rules: [...rules] } }),
      )),
    [path, attempt, server, known.default],
  );
  return { ...known, put };
}
