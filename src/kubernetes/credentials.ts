// Where the API server is and how to prove who we are. A source gives the current credentials as often as it is asked and
// keeps them fresh itself; after a 401 the caller names the credentials that were refused, and however many callers do so
// at once, one renewal is made.

import type { Clock } from "../lifecycle/clock.ts";

export interface Credentials {
  /** Base address; may have a path. */
  server: string;
  tls: {
    ca?: string;
    cert?: string;
    key?: string;
    servername?: string;
    rejectUnauthorized?: boolean;
  };
  /** Authorization, impersonation; empty for a client certificate. */
  headers: Record<string, string>;
}

export interface CredentialsSource {
  current(): Promise<Credentials>;
  /** Credentials other than `refused`, if any can be had. */
  renew(refused: Credentials): Promise<Credentials>;
}

export interface CachedSourceOptions {
  /** `fresh`: leave every cache aside. */
  load: (fresh: boolean) => Promise<Credentials>;
  maxAgeMs: number;
  clock: Clock;
  /** Called when a periodic reload fails and the old credentials stay in use. */
  onStale: (error: unknown) => void;
}

/** Keeps what was loaded for `maxAgeMs`; loads are single-flight; a failed reload keeps the old credentials. */
export function cacheCredentials(options: CachedSourceOptions): CredentialsSource {
  let held: { credentials: Credentials; at: number } | null = null;
  let loading: Promise<Credentials> | null = null;

  const load = (fresh: boolean): Promise<Credentials> => {
    loading ??= options
      .load(fresh)
      .then((credentials) => {
        held = { credentials, at: options.clock.monotonic() };
        return credentials;
      })
      .finally(() => {
        loading = null;
      });
    return loading;
  };

  return {
    current: async () => {
      if (held === null) return load(false);
      if (options.clock.monotonic() - held.at < options.maxAgeMs) return held.credentials;
      const old = held;
      return load(false).catch((error: unknown) => {
        // A token file may be missing for a moment while it is replaced; the server says when the old one is no good.
        options.onStale(error);
        return old.credentials;
      });
    },
    renew: async (refused) => {
      if (held !== null && held.credentials !== refused) return held.credentials;
      return load(true);
    },
  };
}
