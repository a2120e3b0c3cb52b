// Versions never change once written, so they are read once per process and kept, newest use last.

import type { DagDefinition } from "../core/definition.ts";
import { failure } from "../core/errors.ts";
import { type DagGraph, indexDag } from "../core/graph.ts";
import type { Queryable } from "./database.ts";

export interface DagVersion {
  id: number;
  definition: DagDefinition;
  graph: DagGraph;
  bundle_hash: string;
}

const KEPT_VERSIONS = 500;
const KEPT_BUNDLES = 50;

export interface VersionCache {
  loadVersion(db: Queryable, id: number): Promise<DagVersion>;
  loadBundle(db: Queryable, hash: string): Promise<{ code: string; source_map: string }>;
}

export function createVersionCache(): VersionCache {
  const versions = new Map<number, DagVersion>();
  const bundles = new Map<string, { code: string; source_map: string }>();
  return {
    loadVersion: (db, id) => remember(versions, KEPT_VERSIONS, id, () => readVersion(db, id)),
    loadBundle: (db, hash) => remember(bundles, KEPT_BUNDLES, hash, () => readBundle(db, hash)),
  };
}

async function remember<Key, Value>(
  kept: Map<Key, Value>,
  limit: number,
  key: Key,
  read: () => Promise<Value>,
): Promise<Value> {
  const known = kept.get(key);
  const value = known ?? (await read());
  // A Map keeps insertion order: deleting and setting again makes the key the newest.
  kept.delete(key);
  kept.set(key, value);
  if (kept.size > limit) {
    const oldest = kept.keys().next();
    if (!oldest.done) kept.delete(oldest.value);
  }
  return value;
}

async function readVersion(db: Queryable, id: number): Promise<DagVersion> {
  const { rows } = await db.query<{ definition: DagDefinition; bundle_hash: string }>({
    name: "read_version",
    text: "select definition, bundle_hash from dag_version where id = $1",
    values: [id],
  });
  const row = rows[0];
  if (!row) throw failure("not_found", `there is no DAG version ${id}`);
  return { id, definition: row.definition, graph: indexDag(row.definition), bundle_hash: row.bundle_hash };
}

async function readBundle(db: Queryable, hash: string): Promise<{ code: string; source_map: string }> {
  const { rows } = await db.query<{ code: string; source_map: string }>({
    name: "read_bundle",
    text: "select code, source_map from dag_bundle where hash = $1",
    values: [hash],
  });
  const row = rows[0];
  if (!row) throw failure("not_found", `there is no bundle ${hash}`);
  return row;
}
