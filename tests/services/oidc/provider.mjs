// An OpenID provider for tests: whoever logs in is believed. It prints its address, and ends with its standard input.
//
// Its one argument is JSON: `port`, `jwks` with private keys, and `redirect` for the client that people log in with.
// Accounts are named GROUP or NAME.GROUP; the group is a claim of theirs. Programs have the group `ingest`.

import { Provider } from 'oidc-provider';

const { port, jwks, redirect } = JSON.parse(process.argv[2]);
const issuer = `http://127.0.0.1:${port}`;
const groups = (account) => [account.split('.').at(-1)];
const lasts = 3600;

const provider = new Provider(issuer, {
  jwks,
  clients: [
    {
      client_id: 'leeway',
      client_secret: 'a secret of the web that is long',
      redirect_uris: [redirect],
    },
    {
      client_id: 'checkout',
      client_secret: 'a secret of a program',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
    },
  ],
  claims: { openid: ['sub', 'groups'] },
  conformIdTokenClaims: false,
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, groups: groups(id) }) }),
  extraTokenClaims: (_, token) => ({
    // A client's own token is of nobody else.
    ...(token.accountId ? { groups: groups(token.accountId) } : { groups: ['ingest'], sub: token.clientId }),
  }),
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, resource) => ({
        scope: '',
        audience: resource,
        accessTokenFormat: 'jwt',
        accessTokenTTL: lasts,
        jwt: { sign: { alg: resource.endsWith('ec') ? 'ES256' : 'RS256' } },
      }),
    },
  },
  ttl: { AccessToken: lasts, IdToken: lasts, Session: lasts, Grant: lasts, Interaction: lasts, ClientCredentials: lasts },
  cookies: { keys: ['of no use to anybody'] },
});

provider.on('server_error', (_, error) => console.error(error));
const server = provider.listen(port, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});
process.stdin.on('end', () => process.exit(0)).resume();
