"""The International Patient Summary of a book, as a FHIR R4 document (HL7 IPS, ISO 27269). Pure."""
