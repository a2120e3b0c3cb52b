// What WINDLASS_STORAGE may say.

const STORAGE_EXAMPLES = '"postgres", "file:///var/lib/windlass/objects" or "s3://bucket/prefix?region=eu-west-1"';

/** What is wrong with a value of WINDLASS_STORAGE, or null. */
export function findStorageFault(place: string): string | null {
  if (place === "postgres") return null;
  const url = URL.parse(place);
  if (url?.protocol === "file:" && url.host === "" && url.pathname.length > 1) return null;
  if (url?.protocol === "s3:" && url.host !== "") {
    const unknown = [...url.searchParams.keys()].find((name) => !["region", "endpoint"].includes(name));
    if (unknown !== undefined) return `the parameter "${unknown}" is unknown; there are region and endpoint`;
    const endpoint = url.searchParams.get("endpoint");
    return endpoint === null || URL.canParse(endpoint) ? null : `endpoint "${endpoint}" is not a URL`;
  }
  return `it must be ${STORAGE_EXAMPLES}`;
}
