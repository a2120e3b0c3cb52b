// Order of resource versions. They are decimal numbers of any length for what kube-apiserver itself serves (KEP-5504), so
// they are compared as text; any that are not cannot be ordered.

const NUMBER = /^(0|[1-9][0-9]*)$/;

/** Below 0: `a` is older; above 0: newer; null: not comparable. */
export function compareResourceVersions(a: string, b: string): number | null {
  if (a === b) return 0;
  if (!NUMBER.test(a) || !NUMBER.test(b)) return null;
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : 1;
}
