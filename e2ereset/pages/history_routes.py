"""The page of what was done to one's account, and its receipts."""

import json

from flask import Blueprint, Response, request

from e2ereset.languages.words import N_

from .history import History
from .overview import Link
from .page import HEADERS
from .site import Site

WAIT = N_("There is no receipt for this. If it was done a moment ago, try again.")


def add_routes(blueprint: Blueprint, site: Site) -> None:
    """Put the page on the blueprint."""
    history = History(site.runtime)
    label = N_("What was done to my account")
    site.overview.links.append(Link(label=label, endpoint=".show_history"))

    @blueprint.get("/history")
    def show_history() -> Response:
        """Show a page of the audit log about the caller, newest first."""
        account, before = site.caller().account, request.args.get("before", "")
        events, older = history.page(account, before, site.words())
        return site.page("history", events=events, older=older, newest=not before)

    @blueprint.get("/history/<uid>/receipt")
    def save_receipt(uid: str) -> Response:
        """Give the receipt of an event as a file, which proves it without our code."""
        made = history.receipt(site.caller().account, uid)
        if made is None:
            return site.page("refused", status=404, said=site.translate(WAIT))
        text = json.dumps(made, indent=2, default=str)
        response = Response(text, mimetype="application/json", headers=HEADERS)
        name = f"receipt-{made['position']}.json"
        response.headers.set("Content-Disposition", "attachment", filename=name)
        return response
