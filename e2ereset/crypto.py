"""Keyed digests, encryption and signatures. Every key is derived from a secret key, by purpose.

Derivation is HKDF-SHA256 (RFC 5869), digests are HMAC-SHA256 (RFC 2104), texts are encrypted with
AES-256-GCM and a random 96-bit nonce, signatures for outsiders are Ed25519 (RFC 8032). What is
stored carries the id of its secret key, so that several can be in use while a rotation runs.
"""

import base64
import hashlib
import hmac
import os
from collections.abc import Sequence
from functools import cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .errors import E2EResetError

NONCE_BYTES = 12
ID_LENGTH = 8


class UnknownKey(E2EResetError):
    """Stored data names a secret key that is not in E2ERESET_SECRET_KEYS, or was tampered with."""


class KeyRing:
    """The secret keys, newest first, and what is derived from them."""

    def __init__(self, secret_keys: Sequence[str]) -> None:
        keys = [key.encode() for key in secret_keys]
        # Derived with a label of its own, so that the id says nothing of the key.
        self._keys = {_derive(key, "key id", length=ID_LENGTH // 2).hex(): key for key in keys}
        self.ids = tuple(self._keys)
        self.newest = self.ids[0]
        self._derive = cache(lambda key_id, purpose: _derive(self._keys[key_id], purpose))

    def __repr__(self) -> str:
        return f"KeyRing({len(self._keys)} keys)"

    def digest(self, purpose: str, *parts: str) -> str:
        """`keyid:hex` of the parts under the newest secret key. No two lists of parts give one."""
        return self._digest(self.newest, purpose, parts)

    def digests(self, purpose: str, *parts: str) -> list[str]:
        """The digest under each secret key, newest first: a stored digest may be any of them."""
        return [self._digest(key_id, purpose, parts) for key_id in self._keys]

    def matches(self, stored: str, purpose: str, *parts: str) -> bool:
        """Whether `stored` is a digest of the parts, compared in constant time."""
        key_id = stored.partition(":")[0]
        if key_id not in self._keys:
            return False
        # As bytes: on text that is not ASCII, compare_digest raises.
        return hmac.compare_digest(
            stored.encode("utf-8", "replace"), self._digest(key_id, purpose, parts).encode()
        )

    def encrypt(self, purpose: str, context: str, plain: str) -> str:
        """Encrypt the text so that it decrypts for the same purpose and context only."""
        nonce = os.urandom(NONCE_BYTES)
        cipher = AESGCM(self._derive(self.newest, f"box {purpose}"))
        data = nonce + cipher.encrypt(nonce, plain.encode(), context.encode())
        return f"{self.newest}:{base64.b64encode(data).decode()}"

    def decrypt(self, purpose: str, context: str, encrypted: str) -> str:
        """The text that was encrypted. Raises UnknownKey when no secret key decrypts it."""
        key_id, _, text = encrypted.partition(":")
        if key_id not in self._keys:
            raise UnknownKey(
                f"Data is encrypted with key {key_id}, which E2ERESET_SECRET_KEYS does not hold."
                " Put that key back behind the newest one."
            )
        cipher = AESGCM(self._derive(key_id, f"box {purpose}"))
        try:
            data = base64.b64decode(text)
            plain = cipher.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], context.encode())
        except (InvalidTag, ValueError):
            raise UnknownKey(f"Data encrypted for {purpose} was changed in the database.") from None
        return plain.decode()

    def reencrypt(self, purpose: str, context: str, encrypted: str) -> str:
        """The same text under the newest secret key. Raises UnknownKey as `decrypt` does."""
        return self.encrypt(purpose, context, self.decrypt(purpose, context, encrypted))

    def signing_keys(self, purpose: str) -> list[Ed25519PrivateKey]:
        """The Ed25519 key under each secret key, newest first: the first one is to sign with."""
        seeds = [self._derive(key_id, f"sign {purpose}") for key_id in self._keys]
        return [Ed25519PrivateKey.from_private_bytes(seed) for seed in seeds]

    def _digest(self, key_id: str, purpose: str, parts: Sequence[str]) -> str:
        return f"{key_id}:{_mac(self._derive(key_id, f'digest {purpose}'), parts)}"


def digest_under(secret: str, purpose: str, *parts: str) -> str:
    """The hex digest of the parts under a secret that is not one of the secret keys."""
    return _mac(_derive(secret.encode(), f"digest {purpose}"), parts)


def _derive(key: bytes, purpose: str, *, length: int = 32) -> bytes:
    info = f"e2ereset {purpose}".encode()
    return HKDF(SHA256(), length=length, salt=None, info=info).derive(key)


def _mac(key: bytes, parts: Sequence[str]) -> str:
    mac = hmac.new(key, digestmod=hashlib.sha256)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        mac.update(len(data).to_bytes(8, "big") + data)
    return mac.hexdigest()
