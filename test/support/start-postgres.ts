// Runs once before all tests: a Postgres server (the one of WINDLASS_TEST_DATABASE_URL, or one of our own) with a template
// database that holds the schema. Several test runs may share one outside server: every name is made for this run.

import type { TestProject } from "vitest/node";
import { createDatabase, migrateDatabase } from "./postgres-database.ts";
import { type PostgresServer, startPostgres } from "./postgres-server.ts";

declare module "vitest" {
  interface ProvidedContext {
    postgres: { url: string; template: string };
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const outside = process.env["WINDLASS_TEST_DATABASE_URL"];
  const server: PostgresServer = outside ? { url: outside, stop: async () => {} } : await startPostgres();
  try {
    const template = await createDatabase(server.url, "template0");
    await migrateDatabase(template.url);
    project.provide("postgres", { url: server.url, template: new URL(template.url).pathname.slice(1) });
    return async () => {
      if (outside) await template.drop();
      await server.stop();
    };
  } catch (error) {
    await server.stop();
    throw error;
  }
}
