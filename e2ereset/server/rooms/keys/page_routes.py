"""The page "Back to readable rooms", and its forms."""

from functools import partial

from flask import Blueprint, Response, request
from marshmallow import ValidationError, validates_schema
from marshmallow.validate import Length, Regexp
from werkzeug.wrappers import Response as AnyResponse

from e2ereset import Action, Refusal
from e2ereset.errors import InvalidParams
from e2ereset.http import Text, envelope
from e2ereset.languages.words import N_
from e2ereset.pages.overview import Link
from e2ereset.pages.readable_routes import LABEL
from e2ereset.pages.site import Form, Site
from e2ereset.records import Caller
from e2ereset.rooms import seen_within

from .dead import DeadRooms, is_wrapped
from .readability import ASK, MOST_HELPERS, Readability
from .refusals import MayNotRestart, NotInRoom, RestartFailed, RestartInProgress, RoomNotDead
from .restart import ACTION, NewKey

NO_KEY = N_("Your browser did not make a key that apps can read. Try again, or use an app.")
ONLY_OWNERS = N_("Only an owner of the room can start a new key.")
FAULTS: dict[type[Refusal], str] = {
    InvalidParams: NO_KEY,
    MayNotRestart: ONLY_OWNERS,
    NotInRoom: ONLY_OWNERS,
    RestartInProgress: N_("Somebody is giving this room a new key. Look again in ten seconds."),
    RestartFailed: N_(
        "The room was not changed. If you have no key pair, open your app first: it makes one."
    ),
    RoomNotDead: N_("The room keeps its key: somebody has it now, and can give it to you."),
}
"""What the page says of a refusal."""
STARTED = N_(
    "The room has a new key. Keep your app open: it takes the key, and gives it to the others."
)


class NewKeyForm(Form):
    """A room, and the key that the script has made for it, wrapped for its owner."""

    rid = Text(required=True, validate=Length(max=255))
    e2eKeyId = Text(required=True, validate=Regexp(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z"))
    e2eKey = Text(required=True, validate=Length(max=1024))

    @validates_schema(skip_on_field_errors=True)
    def check_key(self, form: dict[str, str], **_: object) -> None:
        """Refuse a key that no client could read."""
        if not is_wrapped(form["e2eKey"], form["e2eKeyId"]):
            raise ValidationError("e2eKey must be a wrapped key")


NEW_KEY = NewKeyForm()
LINK = Link(label=LABEL, endpoint="readable.show_rooms")


def make_page(readability: Readability, dead: DeadRooms, site: Site) -> Blueprint:
    """The page "Back to readable"."""
    blueprint = site.blueprint("readable", "/rooms")
    site.overview.key_links.append(LINK)

    def page(caller: Caller, error: str = "", status: int = 200) -> Response:
        """Each encrypted room of the caller, and what can be done for it."""
        rooms, told = readability.rooms(caller.account.id), request.args.get("asked", "")
        startable = dead.startable(caller, rooms)
        return site.page(
            "readable",
            status=status,
            rooms=rooms,
            seen=partial(seen_within, now=int(site.runtime.clock())),
            asks=True,
            startable=startable,
            public_key=dead.public_key(caller) if startable else "",
            asked=next((n for n in range(MOST_HELPERS + 1) if told == str(n)), None),
            error=error,
            done=site.translate(STARTED) if "started" in request.args else "",
        )

    @blueprint.get("/readable")
    def show_rooms() -> Response:
        """Show the rooms."""
        return page(site.caller())

    @blueprint.post("/readable")
    def ask_holders() -> AnyResponse:
        """Mail those who can help."""
        asked = site.asked(Action(name=ASK))
        with site.runtime.gates.waking():
            mailed = readability.ask(asked)
        return site.go(".show_rooms", asked=mailed)

    @blueprint.post("/readable/new-key")
    def start_new_key() -> AnyResponse:
        """Start a dead room of the caller's anew, behind a factor."""
        asked = site.asked(Action(name=ACTION))
        try:
            form = site.form(NEW_KEY)
            new = NewKey(room_id=form["rid"], key_id=form["e2eKeyId"], key=form["e2eKey"])
            with site.runtime.gates.waking():
                dead.start(asked, new)
        except tuple(FAULTS) as refusal:
            said = next(words for kind, words in FAULTS.items() if isinstance(refusal, kind))
            return page(asked.caller, site.translate(said), envelope.status_of(type(refusal)))
        return site.go(".show_rooms", started=1)

    return blueprint
