"""Our OAuth 2 authorization server: Authlib's grants over our stores, knowing no web framework."""
