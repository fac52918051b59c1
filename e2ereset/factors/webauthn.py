"""WebAuthn, by fido2: what browsers are asked, and whether what they answer is right.

Only the strategy `passkey` imports this.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from fido2.rpid import verify_rp_id
from fido2.server import Fido2Server
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import (
    AttestationConveyancePreference,
    AttestedCredentialData,
    AuthenticationResponse,
    CollectedClientData,
    PublicKeyCredentialRpEntity,
    RegistrationResponse,
    UserVerificationRequirement,
)

from e2ereset.errors import StrategyError
from e2ereset.settings import Settings

REQUIRED = UserVerificationRequirement.REQUIRED
USUAL = {"https": ":443", "http": ":80"}
LONGEST = 8192  # characters of an answer
ALGORITHM = 3
"""Where a COSE key has its algorithm (RFC 9052)."""
TRANSPORTS = ("ble", "hybrid", "internal", "nfc", "smart-card", "usb")
"""The transports that are kept; others are forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A right answer: the key of the passkey's row, its credential, and what it counted to."""

    key: str
    credential: str
    transports: str
    counter: int


class RelyingParty:
    """The site that passkeys are for. Raises StrategyError when the settings do not say which."""

    def __init__(self, settings: Settings) -> None:
        url = urlsplit(settings.pages_url)
        # As browsers write an origin: in small letters, and without the usual port.
        page = f"{url.scheme}://{url.netloc.lower().removesuffix(USUAL.get(url.scheme, ''))}"
        self.rp_id = settings.passkey_rp_id or url.hostname or ""
        self.origins = frozenset((page, *settings.passkey_origins))
        if not verify_rp_id(self.rp_id, page):
            raise StrategyError(
                "The method 'passkey' needs E2ERESET_PAGES_URL with https, or http://localhost, and"
                " E2ERESET_PASSKEY_RP_ID, if it is set, has to be its host or a domain above it."
            )
        self._name = settings.workspace
        self._server = Fido2Server(
            PublicKeyCredentialRpEntity(id=self.rp_id, name=settings.workspace),
            attestation=AttestationConveyancePreference.NONE,
            verify_origin=self.origins.__contains__,
        )
        self._algorithms = [one.alg for one in self._server.allowed_algorithms]

    def request(
        self, challenge: bytes, known: Iterable[tuple[str, str]], seconds: int
    ) -> dict[str, Any]:
        """What a browser is asked for a proof, as JSON: `PublicKeyCredentialRequestOptions`."""
        return {
            "challenge": websafe_encode(challenge),
            "rpId": self.rp_id,
            "allowCredentials": _described(known),
            "userVerification": "required",
            "timeout": seconds * 1000,
        }

    def creation(
        self, challenge: bytes, owner: tuple[str, str], known: Iterable[tuple[str, str]]
    ) -> dict[str, Any]:
        """What a browser is asked for a new passkey: `PublicKeyCredentialCreationOptions`.

        `owner`: the id and the name of the account.
        """
        handle = websafe_encode(sha256(f"e2ereset {owner[0]}".encode()).digest())
        return {
            "rp": {"id": self.rp_id, "name": self._name},
            "user": {"id": handle, "name": owner[1], "displayName": owner[1]},
            "challenge": websafe_encode(challenge),
            "pubKeyCredParams": [{"type": "public-key", "alg": alg} for alg in self._algorithms],
            "excludeCredentials": _described(known),
            "authenticatorSelection": {
                "residentKey": "preferred",
                "userVerification": "required",
            },
            "attestation": "none",
        }

    def register(self, answer: str, challenge: bytes) -> Signed | None:
        """The new passkey; None when it is no right answer."""
        try:
            plain = _read(answer)
            given = plain["response"].get("transports") or ()
            transports = " ".join(one for one in TRANSPORTS if one in given)
            response = RegistrationResponse.from_dict(plain)
            facts = self._server.register_complete(_state(challenge), response)
            made, counter = facts.credential_data, facts.counter
            _refuse_framed(response.response.client_data)
        except Exception:  # whatever fido2 raises at the bytes of strangers
            return None
        if made is None or made.public_key[ALGORITHM] not in self._algorithms:
            return None  # fido2 takes any here, and then fails at each proof
        return _signed(made, counter, transports)

    def check(self, answer: str, challenge: bytes, known: Iterable[str]) -> Signed | None:
        """Who signed the challenge, of these credentials; None when it is no right answer."""
        credentials = [AttestedCredentialData(websafe_decode(text)) for text in known]
        try:
            response = AuthenticationResponse.from_dict(_read(answer))
            found = self._server.authenticate_complete(_state(challenge), credentials, response)
            counter = response.response.authenticator_data.counter
            _refuse_framed(response.response.client_data)
        except Exception:  # whatever fido2 raises at the bytes of strangers
            return None
        return _signed(found, counter)


def _refuse_framed(client: CollectedClientData) -> None:
    """Raise ValueError for an answer of a page that another site shows in a frame of its own."""
    if client.cross_origin:
        raise ValueError("a passkey used in a frame of another site")


def _state(challenge: bytes) -> dict[str, Any]:
    return {"challenge": websafe_encode(challenge), "user_verification": REQUIRED}


def _read(answer: str) -> Mapping[str, Any]:
    """The answer of a browser, as `PublicKeyCredential.toJSON` writes it. Raises ValueError."""
    if len(answer) > LONGEST or not answer.startswith("{"):
        raise ValueError("no answer of a passkey")
    plain = json.loads(answer)
    given: Mapping[str, Any] = {"rawId": plain["id"], "type": "public-key", **plain}
    return given


def _described(known: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    """Credentials as browsers want them named."""
    return [
        {
            "type": "public-key",
            "id": websafe_encode(AttestedCredentialData(websafe_decode(text)).credential_id),
            "transports": transports.split(),
        }
        for text, transports in known
    ]


def _signed(credential: AttestedCredentialData, counter: int, transports: str = "") -> Signed:
    return Signed(
        key=sha256(credential.credential_id).hexdigest(),
        credential=websafe_encode(bytes(credential)),
        transports=transports,
        counter=counter,
    )
