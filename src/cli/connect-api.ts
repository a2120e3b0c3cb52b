// How commands that ask the API reach it: its address and how to sign in come from the settings, as for every role.

import { TOKEN_PATH, tokenAnswer } from "../contract/rest-installation.ts";
import { isFailure } from "../core/errors.ts";
import type { Configuration } from "./configuration.ts";
import { createRestClient, type RestClient } from "./rest-client.ts";

/**
 * The API of WINDLASS_API_URL, else the one on this machine. WINDLASS_API_TOKEN is used as it is; without it,
 * WINDLASS_ADMIN_PASSWORD signs in; without both, the API must be an open one.
 * Errors: unavailable, unauthenticated.
 */
export async function connectApi(configuration: Configuration): Promise<RestClient> {
  const address = configuration.WINDLASS_API_URL ?? `http://127.0.0.1:${configuration.WINDLASS_LISTEN_PORT}`;
  if (configuration.WINDLASS_API_TOKEN !== undefined) {
    return createRestClient(address, configuration.WINDLASS_API_TOKEN);
  }
  const anonymous = createRestClient(address, null);
  const password = configuration.WINDLASS_ADMIN_PASSWORD;
  if (password === undefined) return anonymous;
  try {
    const answer = await anonymous.post(TOKEN_PATH, { username: "admin", password }, tokenAnswer);
    return createRestClient(address, answer.access_token);
  } catch (error) {
    // An open installation gives no tokens, because it asks for none.
    if (isFailure(error, "forbidden")) return anonymous;
    throw error;
  }
}
