// Lists of the fake API server: all pages of one list show the same moment.

import { randomUUID } from "node:crypto";
import type { JsonObject } from "../../src/core/json.ts";
import type { FakeObjects, FakeStatus, Place } from "./fake-objects.ts";
import { selectionOf } from "./fake-selection.ts";

/** What is left of lists, by continue token. */
export type ListPages = Map<string, { version: number; items: JsonObject[] }>;

export function listPage(
  objects: FakeObjects,
  pages: ListPages,
  place: Place,
  query: URLSearchParams,
): JsonObject | FakeStatus {
  const token = query.get("continue");
  const rest = token === null ? null : pages.get(token);
  if (token !== null && rest === undefined)
    return { code: 400, reason: "BadRequest", message: "continue key is not valid" };
  if (rest && rest.version < objects.oldest()) {
    return { code: 410, reason: "Expired", message: "The provided continue parameter is too old" };
  }
  const version = rest?.version ?? objects.version();
  const items = rest?.items ?? objects.list(place.resource, place.namespace).filter(selectionOf(query));
  const limit = Number(query.get("limit") ?? 0);
  if (limit === 0 || items.length <= limit) return page(version, items, {});
  const next = randomUUID();
  pages.set(next, { version, items: items.slice(limit) });
  return page(version, items.slice(0, limit), { continue: next });
}

function page(version: number, items: JsonObject[], more: JsonObject): JsonObject {
  return { kind: "List", apiVersion: "v1", metadata: { resourceVersion: String(version), ...more }, items };
}
