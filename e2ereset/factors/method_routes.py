"""`POST method.call/...`: the methods of second factors and keys, as older clients call them.

The message of such a call, and of its answer, is JSON inside of JSON.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, Response

from e2ereset.errors import InvalidParams, NotSignedIn, Refusal
from e2ereset.http import Described, Gates, envelope
from e2ereset.records import ActionRequest, Caller, Proof, TargetName

from .own import OwnFactors
from .schemas import METHOD, METHOD_ANSWER, METHOD_FAILURE

ResetKey = Callable[[Caller, TargetName | None, Proof, int], object]
"""Resets the key of the caller (the name is None), with the proof, at that time."""


class MatchFailed(Refusal):
    """A parameter of a method is missing, or of a wrong type."""

    code = "400"
    reason = "Match failed"


class UnknownMethod(Refusal):
    """There is no such method here."""

    code = "404"
    reason = "Method not found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call. `proof` is that of the headers, unless the last parameter has one."""

    id: str
    method: str
    params: list[Any] = field(repr=False)
    caller: Caller
    proof: Proof
    now: int

    def code(self) -> str:
        """The first parameter, which is a code. Raises MatchFailed."""
        if not self.params or not isinstance(self.params[0], str):
            raise MatchFailed()
        return self.params[0]


def add_routes(
    blueprint: Blueprint, factors: OwnFactors, reset_key: ResetKey | None, gates: Gates
) -> None:
    """Put the route on the blueprint; without `reset_key` it resets no key."""
    methods = _methods(factors, reset_key)

    @blueprint.post("/method.call/<name>")
    @Described(body=METHOD, answer=METHOD_ANSWER, step_up=True, failures={400: METHOD_FAILURE})
    def call_method(name: str) -> Response:  # noqa: ARG001 - the message has the name that counts
        """Call the method that the message names; a refusal of it is in the message, too."""
        with gates.entered("call-method") as asked:
            call = read_call(gates.body(METHOD)["message"], asked)
            gates.rate_limit()
        try:
            with gates.waking():
                found = methods.get(call.method, _unknown)(call)
        except NotSignedIn:  # the sign-in has ended since the request came in
            raise
        except Refusal as refusal:
            return envelope.failed(refusal, message=_answer(call, error=_told(refusal)))
        result = {} if found is None else {"result": found}
        return envelope.success(message=_answer(call, **result))


def read_call(message: str, asked: ActionRequest) -> Call:
    """The call in this message. Raises InvalidParams.

    A last parameter `{"twoFactorCode": ..., "twoFactorMethod": ...}` is the proof.
    """
    try:
        read = json.loads(message)
        json.dumps(read, ensure_ascii=False).encode()  # an escape may hide a lone surrogate
    except (ValueError, RecursionError):
        raise InvalidParams("message must be JSON") from None
    call = read if isinstance(read, Mapping) else {}
    name, params = call.get("method"), call.get("params", [])
    if not isinstance(name, str) or not isinstance(params, list):
        raise InvalidParams("message must be a method call")
    proof = _proof(params[-1]) if params else None
    return Call(
        id=str(call.get("id", "")),
        method=name,
        params=params[:-1] if proof else params,
        caller=asked.caller,
        proof=proof or asked.proof,
        now=asked.now,
    )


def _methods(factors: OwnFactors, reset_key: ResetKey | None) -> dict[str, Callable[[Call], Any]]:
    """The methods by name. A result that is None is left out of the answer."""

    def enable(call: Call) -> dict[str, str]:
        """Begin to enrol TOTP."""
        made = factors.begin_totp(call.caller, call.proof, call.now)
        return {"secret": made.secret, "url": made.url}

    def validate(call: Call) -> dict[str, Any]:
        """Enable TOTP with a first code."""
        return {"codes": factors.confirm_totp(call.caller, call.code(), call.now)}

    def disable(call: Call) -> bool:
        """Disable TOTP by a code."""
        return factors.disable_totp(call.caller, call.code(), call.now)

    def renew(call: Call) -> dict[str, Any] | None:
        """Replace the backup codes, by a code; no result for a wrong one."""
        codes = factors.renew_backup_codes(call.caller, call.code(), call.now)
        return None if codes is None else {"codes": codes}

    def count(call: Call) -> dict[str, int]:
        """How many backup codes are left."""
        return {"remaining": factors.count_backup_codes(call.caller)}

    def reset(call: Call) -> bool:
        """Reset the own key."""
        if reset_key is None:
            raise UnknownMethod()
        reset_key(call.caller, None, call.proof, call.now)
        return True

    return {
        "2fa:enable": enable,
        "2fa:validateTempToken": validate,
        "2fa:disable": disable,
        "2fa:regenerateCodes": renew,
        "2fa:checkCodesRemaining": count,
        "e2e.resetOwnE2EKey": reset,
    }


def _unknown(_call: Call) -> None:
    raise UnknownMethod()


def _proof(last: Any) -> Proof | None:
    if not isinstance(last, Mapping):
        return None
    code, method = last.get("twoFactorCode"), last.get("twoFactorMethod")
    if not (isinstance(code, str) and isinstance(method, str) and code and method):
        return None
    return Proof(code=code, method=method)


def _told(refusal: Refusal) -> dict[str, Any]:
    number = refusal.code.isdecimal()
    details = {"details": refusal.details} if refusal.details else {}
    return {
        "isClientSafe": True,
        "error": int(refusal.code) if number else refusal.code,
        "reason": refusal.words,
        **details,
        "message": str(refusal),
        "errorType": "Meteor.Error",
    }


def _answer(call: Call, **found: Any) -> str:
    told = {"msg": "result", "id": call.id, **found}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))
