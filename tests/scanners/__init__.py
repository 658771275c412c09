"""Programs that look at the code, its secrets and its packages from outside: `make scan`."""
