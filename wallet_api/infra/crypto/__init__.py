"""Keys, seals, keyed tokens and references. Everything secret in the product passes through here."""
