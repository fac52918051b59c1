// @rocket.chat/api-client, unmodified, with its own two-factor handler: signs in, sets keys, is
// challenged, resets and is logged out. Prints one JSON object about what it saw.
// Usage: node api_client.mjs URL USERNAME PASSWORD [CODE CODE CODE]
// The codes are for the first sign-in, the reset and the second sign-in of a user who has TOTP.

import { createHash } from 'node:crypto';
import { RestClient } from '@rocket.chat/api-client';

const [baseUrl, user, password, ...codes] = process.argv.slice(2);
const client = new RestClient({ baseUrl });
const challenges = [];

const signIn = async () => {
  const code = codes.shift();
  const { data } = await client.post('/v1/login', { user, password, code });
  client.setCredentials({ 'X-User-Id': data.userId, 'X-Auth-Token': data.authToken });
  return data.me.username;
};

// The first answer is wrong on purpose: the handler has to be called again.
client.handleTwoFactorChallenge(async (challenge) => {
  challenges.push(challenge);
  if (challenges.length > 2) throw new Error('challenged too often');
  if (!challenge.invalidAttempt) return '000000';
  return challenge.method === 'password'
    ? createHash('sha256').update(password).digest('hex')
    : codes.shift();
});

const username = await signIn();
const keys = { public_key: 'PUB', private_key: 'PRIV', force: true };
const set = await client.post('/v1/e2e.setUserPublicAndPrivateKeys', keys);
const fetched = await client.get('/v1/e2e.fetchMyKeys');
// Without params it sends a Content-Type and an empty body.
const reset = await client.post('/v1/users.resetE2EKey', undefined);
const afterReset = await client.get('/v1/me').then(() => 200, (answer) => answer.status);
// It signs in again with the dead credentials still in its headers.
await signIn();
const fetchedAfter = await client.get('/v1/e2e.fetchMyKeys');
await client.post('/v1/logout', undefined);
const afterLogout = await client.get('/v1/me').then(() => 200, (answer) => answer.status);

console.log(JSON.stringify({
  username, set, fetched, challenges, reset, afterReset, fetchedAfter, afterLogout,
}));
