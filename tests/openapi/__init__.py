"""The published document: valid, complete, and true of a running wallet."""
