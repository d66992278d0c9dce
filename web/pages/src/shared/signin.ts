/**
 * Signing in with an OpenID provider, where the server is set up for one: the authorization code
 * flow with PKCE, by a library that is loaded only then.
 */

import type { UserManager } from "oidc-client-ts";
import { Server } from "./server.js";

interface Settings {
  issuer: string;
  client_id: string;
  audience: string;
}

export interface SignIn {
  /** The token of whoever is signed in; null: nobody is. */
  token: string | null;
  /** Go to the provider; the page is left. */
  begin(): Promise<void>;
  /** Another token in the place of one that is taken no more; null: there is none. */
  renew(): Promise<string | null>;
}

/**
 * Where one signs in at this server's pages, having come back from there perhaps; null: nowhere.
 *
 * @throws Error: the provider refused, with its sentence.
 */
export async function findSignIn(url: string): Promise<SignIn | null> {
  const settings = await new Server({ url, token: null }).call<Partial<Settings>>("/api/sign-in");
  if (!settings.issuer || !settings.client_id) return null;
  const manager = await managerOf(settings as Settings);
  const query = new URLSearchParams(location.search);
  if (query.has("state") && (query.has("code") || query.has("error"))) {
    const user = await manager.signinRedirectCallback();
    // Where one was before, without what the provider has sent along.
    const before = typeof user.state === "string" ? user.state : "";
    history.replaceState(null, "", location.pathname + before);
  }
  const user = await manager.getUser();
  return {
    token: user === null || user.expired ? null : user.access_token,
    begin: () => manager.signinRedirect({ state: location.search }),
    renew: async () => (await manager.signinSilent().catch(() => null))?.access_token ?? null,
  };
}

async function managerOf(settings: Settings): Promise<UserManager> {
  const { UserManager, WebStorageStateStore } = await import("oidc-client-ts");
  const { issuer, client_id, audience } = settings;
  return new UserManager({
    authority: issuer,
    client_id,
    redirect_uri: location.origin + location.pathname,
    scope: "openid offline_access",
    // The one is asked for by RFC 8707, the other by providers older than it.
    ...(audience.includes(":") ? { resource: audience } : {}),
    extraQueryParams: { audience },
    // As long as the tab: a machine at a table is used by many.
    userStore: new WebStorageStateStore({ store: sessionStorage }),
    automaticSilentRenew: false,
  });
}
