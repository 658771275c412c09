"""What happens when parts of a running wallet die: real processes, real HTTP, counted."""
