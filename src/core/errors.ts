// The one catalogue of errors: a stable code, the HTTP status it answers with, and what it means in general.
// Callers tell errors apart by code, never by text.

export const ERRORS = {
  invalid_request: { status: 400, title: "The request is not valid" },
  invalid_params: { status: 400, title: "The run's params do not fit the DAG's schema" },
  unauthenticated: { status: 401, title: "Sign in first" },
  forbidden: { status: 403, title: "This token may not do that" },
  not_found: { status: 404, title: "There is no such object" },
  already_exists: { status: 409, title: "The object exists already" },
  dag_stale: { status: 409, title: "The DAG's file is gone, so it takes no new runs" },
  backfill_ended: { status: 409, title: "The backfill has ended" },
  action_not_allowed: { status: 409, title: "The object's state does not allow this" },
  not_waiting: { status: 409, title: "The task instance does not wait for this" },
  attempt_stale: { status: 409, title: "The attempt is no longer the current one" },
  payload_too_large: { status: 413, title: "The payload is too large" },
  rate_limited: { status: 429, title: "Too many requests" },
  internal: { status: 500, title: "Something failed on the server" },
  encryption_unavailable: { status: 503, title: "The installation cannot encrypt or decrypt this" },
  unavailable: { status: 503, title: "A service that this needs is unavailable" },
  invalid_configuration: { status: 500, title: "A setting is not valid" },
  invalid_dag: { status: 422, title: "The DAG file is not valid" },
  schema_newer: { status: 500, title: "The database schema is newer than this release" },
  schema_changed: { status: 500, title: "An applied migration was changed" },
  schema_older: { status: 503, title: "The database schema is older than this release" },
  lease_lost: { status: 409, title: "Another process holds the lease" },
} as const satisfies Record<string, { status: number; title: string }>;

export type ErrorCode = keyof typeof ERRORS;

/** One fault inside a larger input: the path of the field and what to do about it. */
export interface FieldError {
  path: string;
  message: string;
}

export interface WindlassError extends Error {
  code: ErrorCode;
  errors: FieldError[];
}

/** Makes an error of the catalogue; `detail` names the object or field and says what to do. */
export function failure(
  code: ErrorCode,
  detail: string,
  options: { cause?: unknown; errors?: FieldError[] } = {},
): WindlassError {
  const error = new Error(detail, options.cause === undefined ? {} : { cause: options.cause });
  return Object.assign(error, { name: "WindlassError", code, errors: options.errors ?? [] });
}

export function isFailure(error: unknown, code?: ErrorCode): error is WindlassError {
  if (!(error instanceof Error) || error.name !== "WindlassError" || !("code" in error)) return false;
  return code === undefined || error.code === code;
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
