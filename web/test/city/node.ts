/** A node that lies: it passes on what it is asked, and says of whatever a contract answers that it is nothing. */

import { createServer } from "node:http";

export interface FalseNode {
  readonly url: string;
  /** The methods that it was asked for. */
  readonly asked: string[];
  close(): Promise<void>;
}

const OPEN = { "access-control-allow-origin": "*", "access-control-allow-headers": "*" };

export async function falseNode(rpc: string): Promise<FalseNode> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      if (request.method === "OPTIONS") return response.writeHead(204, OPEN).end();
      let body = "";
      for await (const part of request) body += part;
      const { method } = JSON.parse(body) as { method: string };
      asked.push(method);
      const headers = { "content-type": "application/json" };
      const answer = (await (await fetch(rpc, { method: "POST", headers, body })).json()) as { result?: string };
      if (method === "eth_call" && answer.result) answer.result = `0x${"0".repeat(answer.result.length - 2)}`;
      return response.writeHead(200, { ...headers, ...OPEN }).end(JSON.stringify(answer));
    })();
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    close: () =>
      new Promise((done) => {
        server.closeAllConnections();
        server.close(() => done());
      }),
  };
}
