// @rocket.chat/api-client, unmodified, whose reader types the code of a page for a mailed one.
// Usage: node passkey_code.mjs URL USER_ID TOKEN; it prints the challenge, and then the answer.
// The code is read from the standard input.

import { createInterface } from 'node:readline';
import { RestClient } from '@rocket.chat/api-client';

const [baseUrl, userId, token] = process.argv.slice(2);
const client = new RestClient({ baseUrl });
const lines = createInterface({ input: process.stdin });
client.setCredentials({ 'X-User-Id': userId, 'X-Auth-Token': token });
client.handleTwoFactorChallenge((challenge) => {
  console.log(JSON.stringify(challenge));
  return new Promise((resolve) => lines.once('line', resolve));
});
console.log(JSON.stringify(await client.post('/v1/users.resetE2EKey', undefined)));
lines.close();
