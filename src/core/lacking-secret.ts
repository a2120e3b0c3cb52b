// What author code declares to need from the installation, against what there is.

export interface DeclaredSecrets {
  variables?: readonly string[];
  connections?: readonly string[];
}

export interface GivenSecrets {
  variables?: { readonly [key: string]: string };
  connections?: { readonly [connectionId: string]: object };
}

/** The first variable or connection that is declared and not there, as a sentence that says what to do; null: none. */
export function findLackingSecret(declared: DeclaredSecrets, given: GivenSecrets): string | null {
  const variable = declared.variables?.find((key) => !Object.hasOwn(given.variables ?? {}, key));
  if (variable !== undefined) {
    return `there is no variable "${variable}"; create it with: windlass variables set ${variable}`;
  }
  const connection = declared.connections?.find((id) => !Object.hasOwn(given.connections ?? {}, id));
  if (connection === undefined) return null;
  return `there is no connection "${connection}"; create it with: windlass connections set ${connection}`;
}

/** Of what there is, what is declared. */
export function pickDeclared<Value>(names: readonly string[] = [], there: { readonly [name: string]: Value }) {
  return Object.fromEntries(Object.entries(there).filter(([name]) => names.includes(name)));
}
