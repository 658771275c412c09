"""Share links: a person lets whoever holds a link see named records, for a time they can end."""
