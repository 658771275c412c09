"""Requests about one's own data: their legal clocks, what is decided on them, and carrying them out."""
