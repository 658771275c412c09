"""The pages of a book, over HTTP."""
