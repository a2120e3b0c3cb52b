// Reads single fields out of the API server's JSON. By hand rather than by schema: a watch may carry thousands of pods a
// second, of which a dozen fields matter and all others, also those newer than this release, must be let through.

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function objectAt(value: unknown, key: string): Record<string, unknown> | null {
  const field = isObject(value) ? value[key] : null;
  return isObject(field) ? field : null;
}

/** Missing is the same as empty. */
export function arrayAt(value: unknown, key: string): unknown[] {
  const field = isObject(value) ? value[key] : null;
  return Array.isArray(field) ? field : [];
}

/** Kubernetes leaves empty strings out, so an empty one counts as missing. */
export function textAt(value: unknown, key: string): string | null {
  const field = isObject(value) ? value[key] : null;
  return typeof field === "string" && field !== "" ? field : null;
}

export function numberAt(value: unknown, key: string): number | null {
  const field = isObject(value) ? value[key] : null;
  return typeof field === "number" ? field : null;
}

export function textsAt(value: unknown, key: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, text] of Object.entries(objectAt(value, key) ?? {})) {
    if (typeof text === "string") found[name] = text;
  }
  return found;
}
