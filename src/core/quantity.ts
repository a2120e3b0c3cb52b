// Kubernetes' quantities of bytes: "256Mi", "1.5G", "1e9", "128974848000m". As bigint, because "8Ei" is past 2^53.

const UNITS: ReadonlyMap<string, readonly [base: bigint, exponent: number]> = new Map([
  ["n", [10n, -9]],
  ["u", [10n, -6]],
  ["m", [10n, -3]],
  ["", [10n, 0]],
  ["k", [10n, 3]],
  ["M", [10n, 6]],
  ["G", [10n, 9]],
  ["T", [10n, 12]],
  ["P", [10n, 15]],
  ["E", [10n, 18]],
  ["Ki", [1024n, 1]],
  ["Mi", [1024n, 2]],
  ["Gi", [1024n, 3]],
  ["Ti", [1024n, 4]],
  ["Pi", [1024n, 5]],
  ["Ei", [1024n, 6]],
]);
const QUANTITY = /^\+?(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,2})|([numkMGTPE]|[KMGTPE]i)?)$/;

/** Whole units, rounded up as Kubernetes does; null: no quantity, or one below zero. */
export function parseQuantity(text: string): bigint | null {
  const match = QUANTITY.exec(text);
  if (!match) return null;
  const [, whole = "", fraction = "", exponent, suffix = ""] = match;
  if (whole === "" && fraction === "") return null;
  const unit = exponent === undefined ? UNITS.get(suffix) : ([10n, Number(exponent)] as const);
  if (!unit) return null;
  const [base, power] = unit;
  let above = BigInt(`${whole}${fraction}`);
  let below = 10n ** BigInt(fraction.length);
  if (power >= 0) above *= base ** BigInt(power);
  else below *= base ** BigInt(-power);
  return (above + below - 1n) / below;
}

const MEBIBYTE = 1024n * 1024n;

/** Rounded up, so that it can be read. */
export function wholeMebibytes(bytes: bigint): bigint {
  return ((bytes + MEBIBYTE - 1n) / MEBIBYTE) * MEBIBYTE;
}

/** As Kubernetes would write it: "384Mi"; what is no whole number of Ki is written as bytes. */
export function formatBytes(bytes: bigint): string {
  const units = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
  let value = bytes;
  let at = 0;
  while (at + 1 < units.length && value > 0n && value % 1024n === 0n) {
    value /= 1024n;
    at += 1;
  }
  return `${value}${units[at] ?? ""}`;
}
