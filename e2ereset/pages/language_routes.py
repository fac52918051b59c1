"""The choice of a language."""

from flask import Blueprint
from marshmallow.validate import Length
from werkzeug.wrappers import Response as AnyResponse

from e2ereset.http import Text
from e2ereset.ports import KnowsReaders

from .cookies import set_cookie
from .page import LANGUAGE
from .site import Form, Site

YEAR = 365 * 86400


class LanguageForm(Form):
    """The language, by its name in E2ERESET_LANGUAGES."""

    language = Text(required=True, validate=Length(max=35))


CHOICE = LanguageForm()


def add_routes(blueprint: Blueprint, site: Site) -> None:
    """Put the route on the blueprint."""

    @blueprint.post("/language")
    def choose_language() -> AnyResponse:
        """Keep the language, for the account where its host does, and for the browser."""
        language = site.runtime.languages.pick(site.form(CHOICE)["language"])
        site.runtime.gates.rate_limit("write")
        accounts, caller = site.runtime.accounts, site.runtime.gates.identify()
        if caller and isinstance(accounts, KnowsReaders):
            with site.runtime.transactions.begin() as session:
                accounts.set_language(session, caller.account.id, language)
        response = site.go(".overview")
        set_cookie(response, site.runtime.settings, LANGUAGE, language, max_age=YEAR)
        return response
