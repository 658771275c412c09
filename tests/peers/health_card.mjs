// SHCReader of the npm package kill-the-clipboard: a reader of SMART Health Cards that others wrote.
// Started by tests/cards/test_readers.py; tells in one line of JSON what it got.
import { readFileSync } from "node:fs";
import { SHCReader } from "kill-the-clipboard";

const told = JSON.parse(readFileSync(0, "utf-8"));
const reader = new SHCReader({ publicKey: told.key ?? null, useVciDirectory: false });
try {
  const card = told.qr ? await reader.fromQRNumeric(told.qr) : await reader.fromJWS(told.jws);
  console.log(JSON.stringify({ bundle: card.getOriginalBundle() }));
} catch (why) {
  console.log(JSON.stringify({ error: why.code ?? why.name, message: why.message }));
}
