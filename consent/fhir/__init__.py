"""Consent as others speak it: FHIR R4 Consent (IHE PCF) in and out, residual tokens out."""
