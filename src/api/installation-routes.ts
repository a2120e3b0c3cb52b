// The installation: version, health, import errors.

import {
  healthAnswer,
  type ImportErrorAnswer,
  importErrorAnswer,
  importErrorPath,
  importErrorsAnswer,
  importErrorsQuery,
  versionAnswer,
} from "../contract/rest-installation.ts";
import { parseOrdering } from "../contract/rest.ts";
import { emptyQuery } from "../contract/rest-task-instances.ts";
import { failure } from "../core/errors.ts";
import { readHeartbeats } from "../store/read-health.ts";
import { type ImportErrorRow, listImportErrors, readImportError } from "../store/read-import-errors.ts";
import type { ApiOptions, ApiServer } from "./api-server.ts";
import { judgeHealth } from "./judge-health.ts";

export function addInstallationRoutes(app: ApiServer, { db, clock, version, gitVersion }: ApiOptions): void {
  app.get(
    "/version",
    {
      config: { open: true },
      schema: {
        tags: ["Version"],
        operationId: "get_version",
        summary: "Show the release",
        querystring: emptyQuery,
        response: { 200: versionAnswer },
      },
    },
    async () => ({ version, git_version: gitVersion }),
  );

  app.get(
    "/monitor/health",
    {
      config: { open: true },
      schema: {
        tags: ["Monitor"],
        operationId: "get_health",
        summary: "Show the components' health; always 200",
        querystring: emptyQuery,
        response: { 200: healthAnswer },
      },
    },
    async ({ log }) => {
      try {
        return judgeHealth(await readHeartbeats(db), clock.now());
      } catch (error) {
        log.warn({ err: error }, "health cannot be read");
        return judgeHealth(null, clock.now());
      }
    },
  );

  app.get(
    "/importErrors",
    {
      schema: {
        tags: ["Import Error"],
        operationId: "get_import_errors",
        summary: "List files that do not load",
        querystring: importErrorsQuery,
        response: { 200: importErrorsAnswer },
      },
    },
    async ({ query }) => {
      const page = await listImportErrors(db, {
        limit: query.limit,
        offset: query.offset,
        filename_pattern: query.filename_pattern,
        order: parseOrdering(query.order_by),
      });
      return { import_errors: page.rows.map(presentImportError), total_entries: page.total };
    },
  );
  app.get(
    "/importErrors/:import_error_id",
    {
      schema: {
        tags: ["Import Error"],
        operationId: "get_import_error",
        summary: "Show why a file does not load",
        params: importErrorPath,
        querystring: emptyQuery,
        response: { 200: importErrorAnswer },
      },
    },
    async ({ params }) => {
      const row = await readImportError(db, params.import_error_id);
      if (!row)
        throw failure(
          "not_found",
          `there is no import error ${params.import_error_id}; the file may have been corrected`,
        );
      return presentImportError(row);
    },
  );
}

function presentImportError(row: ImportErrorRow): ImportErrorAnswer {
  const { id, timestamp, ...fields } = row;
  return { import_error_id: id, timestamp: timestamp.toISOString(), ...fields };
}
