"""The wallet as a relying party: signing people in at an OpenID provider it was configured for."""
