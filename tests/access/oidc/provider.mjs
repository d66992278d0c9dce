// A real OpenID provider on the loopback, for the tests: node provider.mjs FOLDER_OF_NODE_MODULES
//
// It prints `issuer http://127.0.0.1:PORT` once it serves, and ends when its standard input does.
// A client asks for a token for the resource `urn:AUDIENCE:ALGORITHM` and gets one like that.

import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

// Whoever started us may be killed: then our input ends, and so do we.
process.stdin.on('end', () => process.exit(0)).resume();

const require = createRequire(join(process.argv[2], 'package.json'));
const { Provider } = await import(pathToFileURL(require.resolve('oidc-provider')));

function key(type, options, alg) {
  const { privateKey } = generateKeyPairSync(type, options);
  return { ...privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: `key for ${alg}` };
}

function getResourceServerInfo(ctx, indicator) {
  const [, name, alg, whole] = indicator.split(':');
  // One that goes on after that is for whoever goes by all of it.
  const audience = whole ? indicator : name;
  return { audience, scope: 'play', accessTokenFormat: 'jwt', jwt: { sign: { alg } } };
}

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: 'orchestrator',
        client_secret: 'a secret of the test',
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
      },
      {
        // The pages: a public client; a native one may come back to any port of the loopback.
        client_id: 'pages',
        application_type: 'native',
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code', 'refresh_token'],
        redirect_uris: ['http://127.0.0.1/dm'],
        response_types: ['code'],
      },
    ],
    features: {
      clientCredentials: { enabled: true },
      // Whoever gives a name is believed.
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo,
        useGrantedResource: async () => true,
      },
    },
    clientBasedCORS: () => true,
    issueRefreshToken: async () => true,
    jwks: {
      keys: [
        key('rsa', { modulusLength: 2048 }, 'RS256'),
        key('ec', { namedCurve: 'P-256' }, 'ES256'),
      ],
    },
  });
  server.on('request', provider.callback());
  console.log(`issuer ${issuer}`);
});
