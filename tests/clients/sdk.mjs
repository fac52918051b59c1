// @rocket.chat/sdk, unmodified, both versions over REST: an administrator makes a user and a room,
// resets without and then with the proof, and signs in again. Prints what it saw as one JSON object.
// Usage: node sdk.mjs alpha|old URL USERNAME PASSWORD

import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';

const [version, url, username, password] = process.argv.slice(2);
const proof = {
  'x-2fa-method': 'password',
  'x-2fa-code': createHash('sha256').update(password).digest('hex'),
};
const need = createRequire(import.meta.url);
const silent = { debug() {}, info() {}, warning() {}, warn() {}, error() {} };

// The last version throws what the server refused: {status, data}.
function alpha() {
  globalThis.FormData ??= class {};
  need('sdk-alpha/lib/log').setLogger?.(silent);
  const Api = need('sdk-alpha/lib/api/RocketChat').default;
  const api = new Api({ host: url });
  api.logger = silent;
  return {
    login: () => api.login({ user: username, password }),
    get: (path, data = {}) => api.get(path, data),
    post: (path, data = {}) => api.post(path, data),
    refused: (path) => api.post(path, {}).then(() => 'done', (answer) => answer.data.errorType),
    prove: () => { api.client.headers = { ...api.client.headers, ...proof }; },
    logout: () => api.logout(),
  };
}

// The first version swallows what the server refused, and gives undefined.
function old() {
  process.env.ROCKETCHAT_URL = url;
  console.error = () => {};
  const { api } = need('sdk-old');
  need('sdk-old/dist/lib/log').silence();
  return {
    login: async () => {
      api.currentLogin = null;
      return (await api.login({ username, password })).data;
    },
    get: (path, data) => api.get(path, data),
    post: (path, data) => api.post(path, data),
    refused: async (path) => ((await api.post(path, {})) === undefined ? 'refused' : 'done'),
    prove: () => Object.assign(api.basicHeaders, proof),
    logout: () => api.logout(),
  };
}

const client = { alpha, old }[version]();
const { userId } = await client.login();
const guest = `guest-${version}`;
const email = `${guest}@example.org`;
await client.post('e2e.setUserPublicAndPrivateKeys', {
  public_key: 'PUB', private_key: 'PRIV', force: true,
});
const refused = await client.refused('users.resetE2EKey');
const keptKey = (await client.get('e2e.fetchMyKeys')).public_key;

client.prove();
const made = await client.post('users.create', {
  username: guest, name: guest, email, password: 'a longer passphrase for it', verified: true,
});
const room = await client.post('groups.create', {
  name: `room-${version}`, extraData: { encrypted: true },
});
const roomId = room.group._id;
await client.post('groups.invite', { roomId, userId: made.user._id });
const members = await client.get('groups.members', { roomId });
const rooms = await client.get('groups.list');
const info = await client.get('users.info', { username: guest });
const users = await client.get('users.list');
const permissions = await client.get('permissions.listAll');
await client.post('roles.addUserToRole', { roleId: 'livechat-agent', username: guest });
const holders = await client.get('roles.getUsersInRole', { role: 'livechat-agent' });
const token = await client.post('users.generatePersonalAccessToken', { tokenName: version });
const waiting = await client.get('e2e.getUsersOfRoomWithoutKey', { rid: roomId });

const reset = await client.post('users.resetE2EKey', {});
const again = await client.login();
const keyAfter = (await client.get('e2e.fetchMyKeys')).public_key ?? null;
await client.logout();

console.log(JSON.stringify({
  refused, keptKey, reset, keyAfter,
  sameUser: again.userId === userId,
  members: members.members.map((one) => one.username).sort(),
  rooms: rooms.groups.map((one) => one.name),
  info: info.user.username,
  users: users.users.map((one) => one.username),
  roles: holders.users.map((one) => one.username),
  permissions: permissions.update.length,
  token: typeof token.token,
  waiting: waiting.users.length,
}));
process.exit(0);
