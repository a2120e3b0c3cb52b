// Query strings: a parameter that may be repeated is always a list, any other is a list only when it was repeated, which
// its schema then refuses. So the schemas, and with them the OpenAPI document, say plainly what is a list.

const REPEATABLE = new Set(["state", "run_type", "task_id", "tags", "order_by", "update_mask", "dag_ids"]);

export function parseQueryString(text: string): Record<string, string | string[]> {
  const query = new Map<string, string[]>();
  for (const [name, value] of new URLSearchParams(text)) query.set(name, [...(query.get(name) ?? []), value]);
  // fromEntries defines properties, so that a parameter called __proto__ is one like any other.
  return Object.fromEntries(
    [...query].map(([name, values]) => [name, REPEATABLE.has(name) || values.length > 1 ? values : (values[0] ?? "")]),
  );
}
