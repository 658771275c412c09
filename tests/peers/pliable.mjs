// The npm package oauth2-mock-server, whose events let a test bend each answer.
// Started by tests/security/test_peers.py. A JSON object posted to /bend of the port above ours says how:
// claims and head to put in (null takes one out), status and body of the token answer.
import { createHash } from "node:crypto";
import { createServer } from "node:http";

import { OAuth2Server } from "oauth2-mock-server";

const told = JSON.parse(process.env.PEER);
const ACCESS = "peer-access";
let bend = {};

function put(into, changes) {
  for (const [name, value] of Object.entries(changes ?? {})) {
    if (value === null) delete into[name];
    else into[name] = value;
  }
}

const server = new OAuth2Server();
await server.issuer.keys.generate("ES256");
await server.start(told.port, "127.0.0.1");
server.issuer.url = `http://127.0.0.1:${told.port}`;

server.service.on("beforeTokenSigning", (token) => {
  const half = createHash("sha256").update(ACCESS).digest().subarray(0, 16).toString("base64url");
  const now = Math.floor(Date.now() / 1000);
  put(token.payload, { ...told.person, sub: "an", aud: "health-wallet", acr: "2", auth_time: now, at_hash: half });
  put(token.payload, bend.claims);
  put(token.header, bend.head);
});
server.service.on("beforeResponse", (answer) => {
  answer.body.access_token = ACCESS;
  if (bend.status) answer.statusCode = bend.status;
  if (bend.body) answer.body = bend.body;
});

createServer(async (request, response) => {
  let text = "";
  for await (const part of request) text += part;
  bend = JSON.parse(text);
  response.end("bent");
}).listen(told.port + 1, "127.0.0.1", () => console.log("ready"));
