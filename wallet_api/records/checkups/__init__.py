"""Check-ups as the national platform takes them: a signed message, a file of parts, what the book keeps."""
