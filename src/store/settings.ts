// Keys that the installation makes for itself, once: whoever comes first wins, all others read the winner's.

import type { Queryable } from "./database.ts";

export async function loadSecret(db: Queryable, name: string, make: () => string, now: Date): Promise<string> {
  const read = async () =>
    (await db.query<{ value: string }>({ text: "select value from setting where name = $1", values: [name] })).rows[0];
  const known = await read();
  if (known) return known.value;
  const { rows } = await db.query<{ value: string }>({
    text: `insert into setting (name, value, created_at) values ($1, $2, $3)
      on conflict (name) do update set value = setting.value returning value`,
    values: [name, make(), now],
  });
  const row = rows[0];
  if (!row) throw new Error(`setting ${name} was neither found nor made`);
  return row.value;
}
