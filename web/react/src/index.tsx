/**
 * React's end of a campaign: components read parts of one view, and render when those change.
 *
 * Documents share what did not change between versions, so a part that is the same object is the
 * same part: `useSyncExternalStore` compares by identity, and a component that shows one
 * character's hit points renders when those change, whatever else does.
 */

import {
  CampaignClient,
  type ClientOptions,
  type Connection,
  getAt,
  type Json,
  type JsonObject,
  type Member,
  parsePointer,
  type View,
} from "@questlog/client";
import {
  createContext,
  useContext,
  useEffect,
  useMemo,
  useState,
  useSyncExternalStore,
} from "react";

const Campaign = createContext<CampaignClient | null>(null);

/** Gives the components below it a client: what they then read with `usePart` and `useView`. */
export const CampaignProvider = Campaign.Provider;

/** The client given by the nearest `CampaignProvider`; null where there is none yet. */
export function useClient(): CampaignClient | null {
  return useContext(Campaign);
}

/**
 * What `select` finds in the nearest client's view; renders again when that is another value.
 *
 * @param select pure, and returns parts of the view as they are: a new object each time would
 *   render each time.
 */
export function useView<T>(select: (view: View) => T, absent: T): T {
  const client = useContext(Campaign);
  return useSyncExternalStore(client === null ? never : client.subscribe, () =>
    client === null ? absent : select(client.view),
  );
}

/** What stands at a JSON Pointer in the document (RFC 6901); undefined where nothing does. */
export function usePart(pointer: string): Json | undefined {
  const tokens = useMemo(() => parsePointer(pointer), [pointer]);
  return useView<Json | undefined>(view => getAt(view.document ?? undefined, tokens), undefined);
}

/**
 * A client of one's own, for as long as the component is there; null before the first effect.
 *
 * @param options read when `url`, `campaignId`, `table`, `role` or `playerId` is another.
 */
export function useOwnClient(options: ClientOptions): CampaignClient | null {
  const [client, setClient] = useState<CampaignClient | null>(null);
  const { url, campaignId, table, role, playerId } = options;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the rest is read once for each place
  useEffect(() => {
    const made = new CampaignClient(options);
    made.start();
    setClient(made);
    return () => made.close();
  }, [url, campaignId, table, role, playerId]);
  return client;
}

export interface CampaignInReact {
  /** For `CampaignProvider`, and for all that is to be said; null before the first effect. */
  client: CampaignClient | null;
  /** The view; null where there is none yet. */
  document: JsonObject | null;
  /** The truth about the connection; null before the first effect. */
  status: Connection | null;
  /** Who is there. */
  presence: readonly Member[];
  /** Propose something to the DM; does nothing before there is a client. */
  send: (content: string) => void;
}

const NOBODY: readonly Member[] = [];

/** Follow a campaign: everything at once, rendered at every change. */
export function useCampaign(
  url: string,
  id: string | null,
  options: Omit<ClientOptions, "url" | "campaignId"> = {},
): CampaignInReact {
  const client = useOwnClient({ ...options, url, campaignId: id });
  const view = useSyncExternalStore(client === null ? never : client.subscribe, () =>
    client === null ? null : client.view,
  );
  return useMemo(
    () => ({
      client,
      document: view?.document ?? null,
      status: view?.connection ?? null,
      presence: view?.company.members ?? NOBODY,
      // What comes of it is told among `client.view.company.suggestions`.
      send: content => void client?.suggest(content).catch(() => {}),
    }),
    [client, view],
  );
}

function never(): () => void {
  return () => {};
}
