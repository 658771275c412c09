"""What the authorization server says about itself: RFC 8414, and SMART App Launch for FHIR clients."""

from __future__ import annotations

from wallet_api.identity.oauth.assertions import METHOD
from wallet_api.identity.oauth.desk import SCOPES, TOKEN_EXCHANGE
from wallet_api.identity.oauth.scopes import SUPPORTED

_CAPABILITIES = (
    "launch-standalone",
    "client-public",
    "client-confidential-asymmetric",
    "context-standalone-patient",
    "permission-patient",
    "permission-v1",
    "permission-v2",
)


def server_metadata(issuer: str) -> dict[str, object]:
    """The document at /.well-known/oauth-authorization-server."""
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "token_endpoint": f"{issuer}/oauth/token",
        "revocation_endpoint": f"{issuer}/oauth/revoke",
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "scopes_supported": [*sorted(SCOPES.values()), *SUPPORTED],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": [
            "authorization_code",
            "refresh_token",
            "client_credentials",
            TOKEN_EXCHANGE,
        ],
        "token_endpoint_auth_methods_supported": ["none", METHOD],
        "token_endpoint_auth_signing_alg_values_supported": ["ES256"],
        "revocation_endpoint_auth_methods_supported": ["none"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "ui_locales_supported": ["vi", "en"],
    }


def smart_configuration(issuer: str) -> dict[str, object]:
    """The document at /.well-known/smart-configuration."""
    shared = server_metadata(issuer)
    return shared | {"capabilities": list(_CAPABILITIES)}
