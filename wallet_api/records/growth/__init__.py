"""How a child under five grows, against the standard of the World Health Organization. Pure."""
