// SHLViewer of the npm package kill-the-clipboard: a viewer of share links that others wrote.
// Started by tests/shares/test_viewer.py; tells in one line of JSON what it got.
import { readFileSync } from "node:fs";
import { SHLViewer } from "kill-the-clipboard";

const told = JSON.parse(readFileSync(0, "utf-8"));
try {
  const viewer = new SHLViewer({ shlinkURI: told.link });
  const found = await viewer.resolveSHL({
    recipient: told.recipient,
    passcode: told.passcode ?? undefined,
    embeddedLengthMax: told.longest ?? undefined,
  });
  console.log(JSON.stringify({ resources: found.fhirResources }));
} catch (why) {
  console.log(JSON.stringify({ error: why.code, message: why.message }));
}
