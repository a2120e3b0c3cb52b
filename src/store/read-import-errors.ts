// What is wrong with files of the dags folder.

import type { Queryable } from "./database.ts";
import { buildOrder, type Ordering, type Page, type PageSize, readPage, splitPattern } from "./read-page.ts";

export interface ImportErrorRow {
  id: number;
  filename: string;
  message: string;
  line: number | null;
  column: number | null;
  stack_trace: string;
  timestamp: Date;
}

export type ImportErrorOrderField = "import_error_id" | "timestamp" | "filename";
const ORDER: Record<ImportErrorOrderField, string> = {
  import_error_id: "e.id",
  timestamp: 'e."timestamp"',
  filename: "e.filename",
};

export interface ImportErrorFilter extends PageSize {
  filename_pattern: string | undefined;
  order: Ordering<ImportErrorOrderField>[];
}

const COLUMNS = 'e.id, e.filename, e.message, e.line, e."column", e.stack_trace, e."timestamp"';

export async function listImportErrors(db: Queryable, filter: ImportErrorFilter): Promise<Page<ImportErrorRow>> {
  return readPage<ImportErrorRow>(db, {
    columns: COLUMNS,
    from: "import_error e",
    conditions: [{ sql: "e.filename ilike any ($::text[])", value: splitPattern(filter.filename_pattern) }],
    order: buildOrder(ORDER, [], filter.order, "e.id", "e.id"),
    limit: filter.limit,
    offset: filter.offset,
  });
}

export async function readImportError(db: Queryable, id: number): Promise<ImportErrorRow | null> {
  const { rows } = await db.query<ImportErrorRow>({
    name: "read_import_error",
    text: `select ${COLUMNS} from import_error e where e.id = $1`,
    values: [id],
  });
  return rows[0] ?? null;
}
