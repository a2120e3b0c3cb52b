import { expect, test } from "vitest";
import { type DeclaredSecrets, findLackingSecret, type GivenSecrets } from "./lacking-secret.ts";

test.each<[DeclaredSecrets, GivenSecrets, string | null]>([
  [{}, {}, null],
  [{ variables: ["a"] }, { variables: { a: "" } }, null],
  [{ variables: ["a", "b"] }, { variables: { a: "1" } }, 'there is no variable "b"'],
  [{ variables: ["toString"] }, { variables: {} }, 'there is no variable "toString"'],
  [{ connections: ["db"] }, {}, 'there is no connection "db"'],
  [{ connections: ["db"] }, { connections: { db: {} } }, null],
])("%j against %j: %s", (declared, given, lacking) => {
  const found = findLackingSecret(declared, given);
  if (lacking === null) expect(found).toBeNull();
  else expect(found).toContain(lacking);
});
