"""An authenticator in software: it makes passkeys (ES256) and signs with them."""

import json
import struct
from dataclasses import dataclass, field, replace
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import (
    AttestationObject,
    AttestedCredentialData,
    AuthenticatorData,
    CollectedClientData,
)

ORIGIN = "https://app.example.org"
PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


@dataclass
class Authenticator:
    """One passkey. `counter` is what it signs next; `verifies`: it asks for a finger or a PIN.

    `framed`: the page that asks is in a frame of another site.
    """

    credential_id: bytes = b"a passkey"
    origin: str = ORIGIN
    rp_id: str = "app.example.org"
    counter: int = 0
    verifies: bool = True
    framed: bool = False
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def but(self, **changes):
        """The same passkey under other circumstances."""
        return replace(self, **changes)

    @property
    def credential(self):
        public = ES256.from_cryptography_key(self.key.public_key())
        return AttestedCredentialData.create(b"\0" * 16, self.credential_id, public)

    def _flags(self):
        return PRESENT | (VERIFIED if self.verifies else 0)

    def _id_hash(self):
        return sha256(self.rp_id.encode()).digest()

    def _client_data(self, kind, challenge):
        page = {"origin": self.origin, "crossOrigin": self.framed}
        made = {"type": kind, "challenge": challenge, **page}
        return CollectedClientData(json.dumps(made).encode())

    def _answer(self, **response):
        told = {name: websafe_encode(bytes(value)) for name, value in response.items()}
        name = websafe_encode(self.credential_id)
        return json.dumps(
            {"id": name, "type": "public-key", "response": told}, separators=(",", ":")
        )

    def sign(self, options):
        """What a browser answers to these options of a request."""
        client = self._client_data("webauthn.get", options["challenge"])
        facts = AuthenticatorData(self._id_hash() + struct.pack(">BI", self._flags(), self.counter))
        signature = self.key.sign(facts + client.hash, ec.ECDSA(SHA256()))
        return self._answer(authenticatorData=facts, clientDataJSON=client, signature=signature)

    def make(self, options):
        """What a browser answers to these options of a registration."""
        client = self._client_data("webauthn.create", options["challenge"])
        flags = self._flags() | ATTESTED
        facts = AuthenticatorData.create(self._id_hash(), flags, self.counter, self.credential)
        made = AttestationObject.create("none", facts, {})
        return self._answer(attestationObject=made, clientDataJSON=client)
