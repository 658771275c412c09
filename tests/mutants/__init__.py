"""Guards removed one by one, to see that each has a test which notices: `make mutants`."""
