// The REST API as the command line uses it: answers are parsed by the API's own schemas, problems become errors.

import { z } from "zod";
import { failure } from "../core/errors.ts";

export interface RestClient {
  get<Schema extends z.ZodType>(path: string, schema: Schema): Promise<z.output<Schema>>;
  post<Schema extends z.ZodType>(path: string, body: unknown, schema: Schema): Promise<z.output<Schema>>;
}

const problem = z.object({ detail: z.string() });
const CALL_TIMEOUT_MS = 30_000;

/** @param token null: the API is open. Errors: not_found, unavailable. */
export function createRestClient(address: string, token: string | null): RestClient {
  const call = async <Schema extends z.ZodType>(method: string, path: string, schema: Schema, body?: unknown) => {
    const url = new URL(path, address);
    const response = await fetch(url, {
      method,
      signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }).catch((error: unknown) => {
      throw failure("unavailable", `nothing answers at ${address}`, { cause: error });
    });
    const answer: unknown = await response.json();
    if (response.ok) return schema.parse(answer);
    const parsed = problem.safeParse(answer);
    const detail = parsed.success ? parsed.data.detail : `${method} ${url.pathname} answered ${response.status}`;
    throw failure(response.status === 404 ? "not_found" : "unavailable", detail);
  };
  return {
    get: (path, schema) => call("GET", path, schema),
    post: (path, body, schema) => call("POST", path, schema, body),
  };
}
