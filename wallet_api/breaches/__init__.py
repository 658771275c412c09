"""The register of breaches of personal data: what happened, who was told and when."""
