"""Personal access tokens, and ending sign-ins, as Rocket.Chat clients know them."""

from flask import Blueprint, Response, request

from e2ereset.errors import Forbidden, NotAllowed, TargetParamMissing
from e2ereset.http import Described, Gates, envelope
from e2ereset.records import iso

from .personal import (
    ADD,
    PERMISSION,
    REMOVE,
    RENEW,
    NoSuchToken,
    NotAuthorized,
    PersonalTokens,
    TokenExists,
)
from .sign_outs import END_ALL, END_OTHERS, SignOuts
from .token_schemas import (
    KEPT,
    LOGGED_OUT,
    LOGOUT,
    MADE,
    NEW_TOKEN,
    NO_QUERY,
    NOTHING,
    TOKEN,
    TOKENS,
    user_named,
)


def add_token_routes(blueprint: Blueprint, tokens: PersonalTokens, gates: Gates) -> None:
    """Put the routes of personal access tokens on the blueprint."""

    @blueprint.post("/users.generatePersonalAccessToken")
    @Described(
        body=NEW_TOKEN, answer=MADE, step_up=True, refuses=(NotAuthorized, TokenExists, NotAllowed)
    )
    def generate_token() -> Response:
        """Make a personal access token, which is shown in this answer only."""
        with gates.entered(ADD) as asked:
            body = gates.body(NEW_TOKEN)
            gates.rate_limit()
        with gates.waking():
            token = tokens.add(asked, body["tokenName"], bypass=bool(body["bypassTwoFactor"]))
        return envelope.success(token=token)

    @blueprint.post("/users.regeneratePersonalAccessToken")
    @Described(body=TOKEN, answer=MADE, step_up=True, refuses=(NotAuthorized, NoSuchToken))
    def regenerate_token() -> Response:
        """Put a new token in the place of the one of this name."""
        with gates.entered(RENEW) as asked:
            name = gates.body(TOKEN)["tokenName"]
            gates.rate_limit()
        with gates.waking():
            token = tokens.renew(asked, name)
        return envelope.success(token=token)

    @blueprint.get("/users.getPersonalAccessTokens")
    @Described(query=NO_QUERY, answer=TOKENS, permissions=(PERMISSION,))
    def list_tokens() -> Response:
        """The caller's personal access tokens, without the tokens."""
        with gates.entered("list-tokens") as asked:
            gates.permit(asked, PERMISSION)
            gates.query(NO_QUERY)
            gates.rate_limit("read")
        return envelope.success(tokens=tokens.owned(asked.caller.account.id, asked.now))

    @blueprint.post("/users.removePersonalAccessToken")
    @Described(body=TOKEN, step_up=True, refuses=(NotAuthorized, NoSuchToken))
    def remove_token() -> Response:
        """End the personal access token of this name."""
        with gates.entered(REMOVE) as asked:
            name = gates.body(TOKEN)["tokenName"]
            gates.rate_limit()
        with gates.waking():
            tokens.remove(asked, name)
        return envelope.success()


def add_sign_out_routes(blueprint: Blueprint, sign_outs: SignOuts, gates: Gates) -> None:
    """Put the routes that end sign-ins on the blueprint."""

    @blueprint.post("/users.logout")
    @Described(body=LOGOUT, answer=LOGGED_OUT, refuses=(TargetParamMissing, Forbidden, NotAllowed))
    def log_out_user() -> Response:
        """End all sign-ins and personal tokens of the user, or of the caller."""
        with gates.entered(END_ALL) as asked:
            named = user_named(gates.body(LOGOUT))
            gates.rate_limit("write")
        with gates.waking():
            whose = sign_outs.end_all(asked, named)
        return envelope.success(message=f"User {whose} has been logged out!")

    @blueprint.post("/users.logoutOtherClients")
    @Described(body=NOTHING, answer=KEPT)
    def log_out_other_clients() -> Response:
        """End the caller's other sign-ins; personal tokens stay."""
        with gates.entered(END_OTHERS) as asked:
            gates.body(NOTHING)
            gates.rate_limit("write")
        token = request.headers["X-Auth-Token"]
        with gates.waking():
            ends = sign_outs.end_others(asked, token, personal=False)
        return envelope.success(token=token, tokenExpires="" if ends is None else iso(ends))

    @blueprint.post("/users.removeOtherTokens")
    @Described(body=NOTHING)
    def remove_other_tokens() -> Response:
        """End the caller's other sign-ins and personal tokens."""
        with gates.entered(END_OTHERS) as asked:
            gates.body(NOTHING)
            gates.rate_limit("write")
        with gates.waking():
            sign_outs.end_others(asked, request.headers["X-Auth-Token"], personal=True)
        return envelope.success()
