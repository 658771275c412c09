"""The immunization engine on CDC's public rules and cases."""
