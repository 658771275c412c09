"""Copies of a book on a phone: what changed, what is to be forgotten, and when to begin anew."""
