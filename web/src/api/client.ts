/** Asks the gateway: objects and lists with `etag`, errors as problem documents (RFC 9457). */

/** What the gateway refused, or that it did not answer. */
export class Problem extends Error {
  override name = "Problem";

  constructor(
    message: string,
    readonly status: number,
    /** Dotted, such as `deal.missing`; `network` when nothing answered. */
    readonly code: string,
    readonly hint?: string,
  ) {
    super(message);
  }

  get missing(): boolean {
    return this.status === 404;
  }
}

/** A page of a list. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next?: string | null;
}

export const BASE = "/api/v1";
const REMEMBERED = 200;
const remembered = new Map<string, { etag: string; body: unknown }>();

async function toProblem(response: Response): Promise<Problem> {
  const type = response.headers.get("content-type") ?? "";
  const body = type.includes("json") ? await response.json().catch(() => ({})) : {};
  const said = typeof body.detail === "string" ? body.detail : typeof body.title === "string" ? body.title : undefined;
  const text = said ?? `the gateway answered ${response.status}`;
  return new Problem(
    text,
    response.status,
    typeof body.code === "string" ? body.code : `http.${response.status}`,
    body.hint,
  );
}

async function ask(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(BASE + path, init);
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new Problem(
      "the gateway does not answer",
      0,
      "network",
      "the chain and the pools work without it; try again soon",
    );
  }
}

/** Reads an object or a list; what has not changed is not sent again. */
export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  const known = remembered.get(path);
  const headers: Record<string, string> = { accept: "application/json" };
  if (known) headers["if-none-match"] = known.etag;
  const response = await ask(path, { headers, ...(signal ? { signal } : {}) });
  if (response.status === 304 && known) return known.body as T;
  if (!response.ok) throw await toProblem(response);
  const body = (await response.json()) as T;
  const etag = response.headers.get("etag");
  if (etag) {
    remembered.delete(path);
    remembered.set(path, { etag, body });
    if (remembered.size > REMEMBERED) remembered.delete(remembered.keys().next().value!);
  }
  return body;
}

/** Posts JSON; `bigint` goes as decimal text. */
export async function post<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
  const text = JSON.stringify(body, (_, value: unknown) => (typeof value === "bigint" ? value.toString() : value));
  const init = { method: "POST", headers: { "content-type": "application/json" }, body: text };
  const response = await ask(path, signal ? { ...init, signal } : init);
  if (!response.ok) throw await toProblem(response);
  return (await response.json()) as T;
}

/** Reads bytes. */
export async function bytes(path: string, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  const response = await ask(path, signal ? { signal } : {});
  if (!response.ok) throw await toProblem(response);
  return new Uint8Array(await response.arrayBuffer());
}

/** Stores bytes under their content id. */
export async function putBlob(id: string, body: Uint8Array<ArrayBuffer>): Promise<void> {
  const response = await ask(`/blobs/${id}`, {
    method: "PUT",
    headers: { "content-type": "application/octet-stream" },
    body,
  });
  if (!response.ok) throw await toProblem(response);
}

/** A query with what is given, in a fixed order. */
export function query(values: Record<string, string | number | undefined | null>): string {
  const given = Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return given.length === 0 ? "" : `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`;
}
