// What the parent asks of a sealed child that calls one of an author's functions, and what the child says. Imported by the
// child, so it holds no more than names; the parent parses what it reads in call-sealed.ts.

import type { Connection } from "../core/connection.ts";
import type { Json } from "../core/json.ts";

/** Comes before the bundle's text, as one line of JSON. */
export interface CallRequest {
  dag_id: string;
  /** A task's function by its id, or a callback by its key. */
  of: "task" | "callback";
  name: string;
  inputs: { [name: string]: Json };
  /** The second argument, but for its AbortSignal and secrets. */
  runtime: { [name: string]: Json };
  /** What it declares, and nothing else. */
  secrets: { variables: { [key: string]: string }; connections: { [connectionId: string]: Connection } };
  timeMs: number;
}

export type CallAnswer =
  | { kind: "returned"; value: unknown }
  | { kind: "thrown"; name: string; message: string; stack: string; skip: boolean; noRetry: boolean }
  | { kind: "missing"; message: string };
