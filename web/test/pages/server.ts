/** Serves the built pages as the gateway does (one document for every path, a strict policy) with recorded answers, and a node. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

import { FakeChain } from "../world";
import { about, type City } from "./answers";

const DIST = fileURLToPath(new URL("../../dist", import.meta.url));
const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};
/** What the gateway sends with its pages: nothing from elsewhere, nothing inline; `connect-src` is wide for a reader's own node. */
export const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "font-src 'self'",
  "img-src 'self' blob:",
  "connect-src 'self' https: wss: http://127.0.0.1:* ws://127.0.0.1:* http://localhost:* ws://localhost:*",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

export interface Pages {
  readonly url: string;
  /** What the next answers are: none, broken, or as recorded. */
  mode: "recorded" | "silent" | "broken";
  /** Changes what is answered at a path: a gateway that lies. */
  lie: (path: string, answer: unknown, query: URLSearchParams) => unknown;
  /** Tells whoever listens that something changed. */
  tell: (topic: string) => void;
  close(): Promise<void>;
}

function send(response: ServerResponse, status: number, type: string, body: string | Uint8Array): void {
  response.writeHead(status, {
    "content-type": type,
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
  });
  response.end(body);
}

async function file(path: string, response: ServerResponse): Promise<void> {
  const wanted = extname(path) ? normalize(path) : "/index.html";
  try {
    send(response, 200, TYPES[extname(wanted)] ?? "application/octet-stream", await readFile(join(DIST, wanted)));
  } catch {
    send(response, 404, "text/plain", "not here");
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const part of request) text += part;
  return text;
}

async function rpc(chain: FakeChain, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { id, method, params } = JSON.parse(await bodyOf(request));
  const answer = await chain.request({ method, params }).then(
    (result) => ({ result }),
    (error) => ({ error }),
  );
  send(response, 200, "application/json", JSON.stringify({ jsonrpc: "2.0", id, ...answer }));
}

const problem = (status: number, code: string, detail: string): string =>
  JSON.stringify({ type: "about:blank", title: "Problem", status, code, detail, hint: "this is a recorded answer" });

function api(city: City, pages: Pages, streams: Set<ServerResponse>, url: URL, response: ServerResponse): void {
  const path = url.pathname.slice(7);
  if (pages.mode === "silent") return;
  if (pages.mode === "broken")
    return send(response, 503, "application/problem+json", problem(503, "gateway.index", "the index is being built"));
  if (path === "/events") {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write("id: 1-0\n: from here on\n\n");
    streams.add(response);
    response.on("close", () => streams.delete(response));
    return;
  }
  const result = /^\/deals\/(0x[0-9a-f]{64})\/results\/(\d+)$/.exec(path);
  const raw = result
    ? city.bundle(result[1]!, Number(result[2]))
    : path.startsWith("/blobs/")
      ? city.blob(path.slice(7))
      : undefined;
  if (raw) return send(response, 200, "application/octet-stream", pages.lie(path, raw, url.searchParams) as Uint8Array);
  const answer = path === "/about" ? about(`${pages.url}/rpc`) : city.answer(path, url.searchParams);
  if (answer === undefined)
    return send(
      response,
      404,
      "application/problem+json",
      problem(404, "gateway.missing", "there is nothing at this path"),
    );
  send(response, 200, "application/json", JSON.stringify(pages.lie(path, structuredClone(answer), url.searchParams)));
}

export async function serve(city: City): Promise<Pages> {
  const chain = new FakeChain(city.certified);
  const streams = new Set<ServerResponse>();
  const server: Server = createServer((request, response) => {
    const url = new URL(request.url!, pages.url);
    if (url.pathname === "/rpc") void rpc(chain, request, response);
    else if (url.pathname.startsWith("/api/v1")) api(city, pages, streams, url, response);
    else void file(url.pathname, response);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as { port: number };
  const pages: Pages = {
    url: `http://127.0.0.1:${port}`,
    mode: "recorded",
    lie: (_, answer) => answer,
    tell(topic) {
      for (const stream of streams) stream.write(`data: ${JSON.stringify({ topic, kind: "changed" })}\n\n`);
    },
    close: () =>
      new Promise((done) => {
        server.closeAllConnections();
        server.close(() => done());
      }),
  };
  return pages;
}
