// The variables and connections that a task, a sensor or a callback declares, opened for its one call. It gets no others,
// whatever it asks.

import type { Connection } from "../core/connection.ts";
import { openConnection, readConnections } from "./connections.ts";
import type { DeclaredSecrets } from "../core/lacking-secret.ts";
import { listConnectionSecrets, listVariableSecrets } from "../core/secret-texts.ts";
import type { Queryable } from "./database.ts";
import type { Sealer } from "./sealing.ts";
import { openVariable, readVariables } from "./variables.ts";

export interface TaskSecrets {
  variables: { [key: string]: string };
  connections: { [connectionId: string]: Connection };
  masked: string[];
}

/** What does not exist is left out: whoever calls fails it, see core/lacking-secret.ts. Errors: encryption_unavailable. */
export async function readTaskSecrets(db: Queryable, sealer: Sealer, declared: DeclaredSecrets): Promise<TaskSecrets> {
  const [variables, connections] = await Promise.all([
    readVariables(db, declared.variables ?? []),
    readConnections(db, declared.connections ?? []),
  ]);
  const opened = variables.map((row) => ({ ...row, value: openVariable(sealer, row) }));
  const connected = connections.map((row) => [row.connection_id, openConnection(sealer, row)] as const);
  return {
    variables: Object.fromEntries(opened.map(({ key, value }) => [key, value])),
    connections: Object.fromEntries(connected),
    masked: [
      ...opened.filter(({ is_secret }) => is_secret).flatMap(({ value }) => listVariableSecrets(value)),
      ...connected.flatMap(([, connection]) => listConnectionSecrets(connection)),
    ],
  };
}
