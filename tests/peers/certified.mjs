// The OpenID provider of the npm package oidc-provider, with one person who says yes to everything asked.
// Started by tests/security/test_peers.py; PEER tells port, the wallet's public keys and our private ones.
import { createServer } from "node:http";

import { Provider } from "oidc-provider";

const told = JSON.parse(process.env.PEER);
const issuer = `http://127.0.0.1:${told.port}`;

const provider = new Provider(issuer, {
  acrValues: ["2"],
  claims: { openid: ["sub", ...Object.keys(told.person)] },
  clientAuthMethods: ["private_key_jwt"],
  clients: [
    {
      client_id: "health-wallet",
      redirect_uris: [told.redirect],
      response_types: ["code"],
      grant_types: ["authorization_code"],
      token_endpoint_auth_method: "private_key_jwt",
      token_endpoint_auth_signing_alg: "ES256",
      id_token_signed_response_alg: "ES256",
      jwks: told.wallet,
    },
  ],
  conformIdTokenClaims: false,
  cookies: { keys: ["for this test only"] },
  enabledJWA: { clientAuthSigningAlgValues: ["ES256"], idTokenSigningAlgValues: ["ES256"] },
  features: { devInteractions: { enabled: false } },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...told.person }) }),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  jwks: { keys: told.keys },
  ttl: { AccessToken: 60, AuthorizationCode: 60, Grant: 60, IdToken: 60, Interaction: 60, Session: 60 },
});

async function answered(request, response) {
  const { prompt, params, session } = await provider.interactionDetails(request, response);
  if (prompt.name === "login") return { login: { accountId: "an", acr: "2", remember: false } };
  const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope(prompt.details.missingOIDCScope.join(" "));
  return { consent: { grantId: await grant.save() } };
}

const pages = provider.callback();
createServer(async (request, response) => {
  if (!request.url.startsWith("/interaction/")) return pages(request, response);
  const result = await answered(request, response);
  return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
}).listen(told.port, "127.0.0.1", () => console.log("ready"));
