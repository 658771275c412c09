"""Who is who: people, families, organisations, sessions, and our OAuth 2 server."""
