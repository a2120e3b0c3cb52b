// The REST API as the command line uses it: answers are parsed by the API's own schemas, problems become errors.

import { z } from "zod";
import { problem } from "../contract/rest.ts";
import { failure } from "../core/errors.ts";

type Send = <Schema extends z.ZodType>(path: string, body: unknown, schema: Schema) => Promise<z.output<Schema>>;

export interface RestClient {
  get<Schema extends z.ZodType>(path: string, schema: Schema): Promise<z.output<Schema>>;
  post: Send;
  put: Send;
  patch: Send;
  delete(path: string): Promise<void>;
}
const CALL_TIMEOUT_MS = 30_000;

/** @param token null: the API is open. Errors: those of the API by their code, and unavailable. */
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
    const text = await response.text();
    if (response.ok) return schema.parse(text === "" ? null : JSON.parse(text));
    throw readProblem(text) ?? failure("unavailable", `${method} ${url.pathname} answered ${response.status}`);
  };
  return {
    get: (path, schema) => call("GET", path, schema),
    post: (path, body, schema) => call("POST", path, schema, body),
    put: (path, body, schema) => call("PUT", path, schema, body),
    patch: (path, body, schema) => call("PATCH", path, schema, body),
    delete: async (path) => void (await call("DELETE", path, z.unknown())),
  };
}

/** null: not an answer of ours, as that of a proxy between. */
function readProblem(text: string): Error | null {
  try {
    const { code, detail, errors } = problem.parse(JSON.parse(text));
    return failure(code, detail, { errors });
  } catch {
    return null;
  }
}
