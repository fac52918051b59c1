"""The blueprint of the pages."""

from flask import Blueprint, Flask
from jinja2 import BaseLoader, ChoiceLoader, FileSystemLoader

from e2ereset.files import folder_of
from e2ereset.runtime import Runtime

from . import (
    codes_routes,
    email_routes,
    history_routes,
    language_routes,
    not_me_routes,
    overview_routes,
    passkey_code_routes,
    passkeys_routes,
    proof_routes,
    readable_routes,
    reset_routes,
    sign_ins_routes,
    totp_routes,
)
from .page import NAME
from .site import EXTENSION, Site, make_site


def make_pages(app: Flask, runtime: Runtime, *, url_prefix: str) -> Blueprint:
    """The pages of the library, which the app then has as `find_site(app)`.

    Raises SettingsError for a folder of templates that is not there.
    """
    _prefer(app, runtime.settings.pages_templates)
    site = app.extensions[EXTENSION] = make_site(runtime)
    blueprint = site.blueprint(NAME, url_prefix)
    _add_factors(blueprint, site)
    codes_routes.add_routes(blueprint, site)
    history_routes.add_routes(blueprint, site)
    language_routes.add_routes(blueprint, site)
    not_me_routes.add_routes(blueprint, site)
    overview_routes.add_routes(blueprint, site)
    proof_routes.add_routes(blueprint, site)
    readable_routes.add_routes(blueprint, site)
    reset_routes.add_routes(blueprint, site)
    sign_ins_routes.add_routes(blueprint, site)
    return blueprint


def _prefer(app: Flask, folder: str) -> None:
    """Have templates of this folder come before those of the app."""
    if own := folder_of("E2ERESET_PAGES_TEMPLATES", folder):
        found: list[BaseLoader] = [FileSystemLoader(own)]
        app.jinja_loader = ChoiceLoader(found + [one for one in (app.jinja_loader,) if one])


def _add_factors(blueprint: Blueprint, site: Site) -> None:
    """Add the pages of factors; My security lists them in this order."""
    totp_routes.add_routes(blueprint, site)
    email_routes.add_routes(blueprint, site)
    passkeys_routes.add_routes(blueprint, site)
    passkey_code_routes.add_routes(blueprint, site)
