"""An E2EE client with real cryptography, which does what Rocket.Chat's own client does.

RSA-OAEP pairs as JWK, the private key under the E2E password, AES room keys wrapped for each
member, messages that begin with the id of their key.
"""

import base64
import hashlib
import json
import os
from functools import cache

from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from tests.kit.client import API
from tests.kit.world import sha256

SHA256 = hashes.SHA256()
WRAP = OAEP(MGF1(SHA256), SHA256, None)
VECTOR = 16
ID = 12
"""The characters of the id that this client gives its keys; a page gives longer ones."""
WRAPPED = 344
"""The characters of a wrapped key, which its id comes before."""
NONCE = 12
PRIVATE = ("d", "p", "q", "dp", "dq", "qi")


def b64(data):
    return base64.b64encode(data).decode()


def url64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def from_url64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(value):
    return url64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def encrypt(key, data):
    """AES-CBC, with the vector in front."""
    vector, pad = os.urandom(VECTOR), padding.PKCS7(128).padder()
    box = Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor()
    return vector + box.update(pad.update(data) + pad.finalize()) + box.finalize()


def decrypt(key, data):
    box = Cipher(algorithms.AES(key), modes.CBC(data[:VECTOR])).decryptor()
    pad = padding.PKCS7(128).unpadder()
    return pad.update(box.update(data[VECTOR:]) + box.finalize()) + pad.finalize()


@cache
def made_pair(place):
    """A pair; the same one for each test, as making one takes long."""
    return rsa.generate_private_key(65537, 2048)


class RoomKey:
    """An AES key as a JWK, and its id. Messages begin with that id."""

    def __init__(self, jwk=None, id=None):
        made = {"kty": "oct", "alg": "A128CBC", "ext": True, "k": url64(os.urandom(16))}
        self.jwk = jwk or json.dumps(made)
        self.id = id or b64(hashlib.sha256(self.jwk.encode()).digest())[:ID]
        self.key = from_url64(json.loads(self.jwk)["k"])
        self.is_gcm = json.loads(self.jwk)["alg"] == "A256GCM"

    def wrapped(self, public_key):
        """The key for the owner of this public key (a JWK)."""
        jwk = json.loads(public_key)
        n, e = (int.from_bytes(from_url64(jwk[name]), "big") for name in ("n", "e"))
        public = rsa.RSAPublicNumbers(e, n).public_key()
        return self.id + b64(public.encrypt(self.jwk.encode(), WRAP))

    def write(self, text):
        if self.is_gcm:
            nonce = os.urandom(NONCE)
            return self.id + b64(nonce + AESGCM(self.key).encrypt(nonce, text.encode(), None))
        return self.id + b64(encrypt(self.key, text.encode()))

    def read(self, message):
        data = base64.b64decode(message.removeprefix(self.id))
        if self.is_gcm:
            return AESGCM(self.key).decrypt(data[:NONCE], data[NONCE:], None).decode()
        return decrypt(self.key, data).decode()


class Messenger:
    """One person's client. It keeps the passwords, and asks the server for the rest.

    `places` are those of the `made_pair`s that it may take.
    """

    def __init__(self, world, name, places):
        self.world, self.name, self.places, self.pair = world, name, places, None
        self.password, self.e2e_password = f"password of {name}", f"E2E password of {name}"
        self.id = world.person(name, password=self.password, key=False).id
        self.sign_in()

    def sign_in(self):
        made = self.world.login(self.name, self.password).json["data"]
        self.headers = {"X-User-Id": made["userId"], "X-Auth-Token": made["authToken"]}

    def ask(self, route, /, **query):
        return self._call("get", route, query_string=query)

    def tell(self, route, /, **body):
        return self._call("post", route, json=body)

    def _call(self, method, route, headers=None, **sent):
        headers = self.headers | (headers or {})
        answer = getattr(self.world.client, method)(API + route, headers=headers, **sent)
        assert answer.status_code == 200, (route, answer.json)
        return answer.json

    def is_signed_in(self):
        return self.world.client.get(f"{API}me", headers=self.headers).status_code == 200

    def reset(self):
        """Reset the own key, with the password as the proof; the client forgets its pair."""
        proof = {"x-2fa-code": sha256(self.password), "x-2fa-method": "password"}
        self._call("post", "users.resetE2EKey", headers=proof)
        self.pair = None

    def make_pair(self):
        """Make a pair, and store it with its private key under the E2E password."""
        made = made_pair(next(self.places)).private_numbers()
        shown = {"kty": "RSA", "alg": "RSA-OAEP-256", "ext": True}
        shown |= {name: number(getattr(made.public_numbers, name)) for name in ("n", "e")}
        secret = (made.d, made.p, made.q, made.dmp1, made.dmq1, made.iqmp)
        private = shown | dict(zip(PRIVATE, map(number, secret), strict=True))
        wrapped = b64(encrypt(self._master_key(), json.dumps(private).encode()))
        keys = {"public_key": json.dumps(shown), "private_key": wrapped}
        self.tell("e2e.setUserPublicAndPrivateKeys", **keys)
        self.load_pair()

    def load_pair(self):
        """Fetch the pair, and open it with the E2E password, as on another device."""
        keys = self.ask("e2e.fetchMyKeys")
        jwk = json.loads(decrypt(self._master_key(), base64.b64decode(keys["private_key"])))
        n, e, d, p, q, dp, dq, qi = (
            int.from_bytes(from_url64(jwk[name]), "big") for name in ("n", "e", *PRIVATE)
        )
        numbers = rsa.RSAPrivateNumbers(p, q, d, dp, dq, qi, rsa.RSAPublicNumbers(e, n))
        # The check of its primes would be half of what a test costs.
        self.pair = numbers.private_key(unsafe_skip_rsa_key_validation=True)
        self.public_key = keys["public_key"]

    def _master_key(self):
        kdf = PBKDF2HMAC(SHA256, 32, self.id.encode(), 1000)
        return kdf.derive(self.e2e_password.encode())

    def create_room(self, name, *others):
        """An encrypted room of these people, and its first key; the id of the room."""
        extra, members = {"encrypted": True}, [one.name for one in others]
        made = self.tell("groups.create", name=name, members=members, extraData=extra)
        rid, key = made["group"]["_id"], RoomKey()
        self.tell("e2e.setRoomKeyID", rid=rid, keyID=key.id)
        self.tell("e2e.updateGroupKey", rid=rid, uid=self.id, key=key.wrapped(self.public_key))
        return rid

    def restart_room(self, rid):
        key = RoomKey()
        wrapped = key.wrapped(self.public_key)
        self.tell("e2e.resetRoomKey", rid=rid, e2eKeyId=key.id, e2eKey=wrapped)

    def subscription(self, rid):
        return self.ask("subscriptions.getOne", roomId=rid)["subscription"]

    def unwrap(self, wrapped):
        """The room key; None where it was not wrapped for this pair."""
        id, data = wrapped[:-WRAPPED], base64.b64decode(wrapped[-WRAPPED:])
        try:
            return RoomKey(self.pair.decrypt(data, WRAP).decode(), id)
        except ValueError:
            return None

    def keys(self, rid):
        """The room keys that this person has: the one in use, and the old ones."""
        mine = self.subscription(rid)
        wrapped = [mine.get("E2EKey"), *(old["E2EKey"] for old in mine.get("oldRoomKeys") or ())]
        return [self.unwrap(one) for one in wrapped if one]

    def write(self, rid, text):
        return self.keys(rid)[0].write(text)

    def read(self, rid, message):
        """What the message says; None where its key is not among those that one has."""
        found = [key for key in self.keys(rid) if message.startswith(key.id)]
        return found[0].read(message) if found else None

    def waiting(self, rid):
        """Who can be given the key of the room: their public keys, by their ids."""
        found = self.ask("e2e.fetchUsersWaitingForGroupKey", roomIds=rid)
        return {
            one["_id"]: one["public_key"] for one in found["usersWaitingForE2EKeys"].get(rid, ())
        }

    def hand_out(self, rid, to=None):
        """Suggest all keys that one has to those who wait, or to these (as `waiting` has them)."""
        mine, (key, *old) = self.subscription(rid), self.keys(rid)
        times = [one["ts"] for one in mine.get("oldRoomKeys") or ()]
        suggestions = [
            {
                "_id": person,
                "key": key.wrapped(public),
                "oldKeys": [
                    {"e2eKeyId": one.id, "ts": ts, "E2EKey": one.wrapped(public)}
                    for one, ts in zip(old, times, strict=True)
                ],
            }
            for person, public in (self.waiting(rid) if to is None else to).items()
        ]
        self.tell("e2e.provideUsersSuggestedGroupKeys", usersSuggestedGroupKeys={rid: suggestions})

    def answer_suggestion(self, rid):
        """Accept the suggested key, or reject one that cannot be opened; whether it was good."""
        good = self.unwrap(self.subscription(rid)["E2ESuggestedKey"]) is not None
        verb = "accept" if good else "reject"
        self.tell(f"e2e.{verb}SuggestedGroupKey", rid=rid)
        return good
