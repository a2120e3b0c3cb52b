// A try's log, while it runs and after its pod is gone.

import { Readable } from "node:stream";
import type { FastifyReply } from "fastify";
import {
  type LogAnswer,
  logAnswer,
  type LogLineAnswer,
  logLineAnswer,
  logQuery,
  NDJSON_TYPE,
} from "../contract/rest-logs.ts";
import { tryPath } from "../contract/rest-task-instances.ts";
import { failure } from "../core/errors.ts";
import type { Database } from "../store/database.ts";
import type { ObjectStore } from "../core/object-store.ts";
import { listAttempts } from "../store/read-attempts.ts";
import { LOG_START, type LogCursor, type LogRow, readTryLog, streamTryLog } from "../store/try-log.ts";
import type { ApiOptions, ApiServer } from "./api-server.ts";
import { decodeCursor, encodeCursor, isTryOver } from "./log-cursor.ts";
import { requireInstance } from "./require-rows.ts";

const PAGE_LINES = 1_000;
const FULL_LINES = 20_000;

const answers = {
  200: {
    description: "A page of lines; or, with Accept: application/x-ndjson, all lines so far, one object to a line",
    content: { "application/json": { schema: logAnswer }, [NDJSON_TYPE]: { schema: logLineAnswer } },
  },
};

export function addLogRoutes(app: ApiServer, { db, objects }: ApiOptions): void {
  app.get(
    "/dags/:dag_id/dagRuns/:dag_run_id/taskInstances/:task_id/logs/:try_number",
    {
      schema: {
        tags: ["TaskInstance"],
        operationId: "get_log",
        summary: "Read a try's log",
        params: tryPath,
        querystring: logQuery,
        response: answers,
      },
    },
    async ({ params, query, headers }, reply) => {
      const instance = await requireInstance(db, { ...params, map_index: query.map_index });
      const attempts = await listAttempts(db, instance.id, params.try_number);
      // Judged before the lines are read: what an attempt wrote before its end is then among them.
      const over = isTryOver(instance, params.try_number, attempts.at(-1));
      if (attempts.length === 0 && params.try_number > Math.max(1, instance.try_number)) {
        throw failure("not_found", `task instance "${params.task_id}" has no try ${params.try_number}`);
      }
      const start = query.token === undefined ? LOG_START : decodeCursor(query.token);
      if ((headers.accept ?? "").includes(NDJSON_TYPE)) {
        // The schema speaks of lines, what is sent is a stream of them.
        const stream: FastifyReply = reply;
        return stream
          .type(NDJSON_TYPE)
          .send(Readable.from(streamLines(db, objects, instance.id, params.try_number, start)));
      }
      const limit = query.full_content ? FULL_LINES : PAGE_LINES;
      const rows = await readTryLog(db, objects, instance.id, params.try_number, start, limit);
      return reply.type("application/json").send(presentPage(rows, start, over && rows.length < limit));
    },
  );
}

function presentPage(rows: readonly LogRow[], start: LogCursor, ended: boolean): LogAnswer {
  return { content: rows.map(presentLine), continuation_token: ended ? null : encodeCursor(rows.at(-1) ?? start) };
}

function presentLine(row: LogRow): LogLineAnswer {
  return {
    timestamp: row.timestamp.toISOString(),
    level: row.level,
    event: row.event,
    attempt: row.epoch,
    seq: row.seq,
  };
}

async function* streamLines(
  db: Database,
  objects: ObjectStore,
  instanceId: string,
  tryNumber: number,
  start: LogCursor,
): AsyncGenerator<string> {
  for await (const rows of streamTryLog(db, objects, instanceId, tryNumber, start)) {
    yield rows.map((row) => `${JSON.stringify(presentLine(row))}\n`).join("");
  }
}
