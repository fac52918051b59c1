"""Backup codes: renewed by a code, shown once, and as a file."""

from flask import Blueprint, Response
from marshmallow.validate import Length, Regexp

from e2ereset.errors import EnrolmentInvalid, InvalidParams, TooManyAttempts
from e2ereset.factors.changes import UNAMBIGUOUS
from e2ereset.factors.own import RENEW
from e2ereset.factors.strategies.totp import BACKUP_LENGTH
from e2ereset.http import Text
from e2ereset.records import Action, Caller

from .page import HEADERS
from .site import Form, Site
from .tries import CODE, wrong_code

HALF = BACKUP_LENGTH // 2
ONE = rf"[{UNAMBIGUOUS}]{{{HALF}}}-[{UNAMBIGUOUS}]{{{HALF}}}"


class FileForm(Form):
    """Backup codes as they were shown, between spaces: nothing else becomes a file."""

    codes = Text(required=True, validate=(Length(max=200), Regexp(rf"{ONE}( {ONE})*\Z")))


FILE = FileForm()


def add_routes(blueprint: Blueprint, site: Site) -> None:
    """Put the pages on the blueprint, where authenticator apps are a method."""
    if "totp" not in site.methods:
        return
    own, gates = site.runtime.own_factors, site.runtime.gates

    @blueprint.get("/backup-codes")
    def ask_for_codes() -> Response:
        """Tell how many are left, and ask for a code to renew them."""
        return _asking_page(site, site.caller())

    @blueprint.post("/backup-codes")
    def renew_codes() -> Response:
        """Renew them by a code; they are shown in this answer only."""
        asked = site.asked(Action(name=RENEW))
        try:
            code = site.form(CODE)["code"]
            with gates.waking():
                codes = own.renew_backup_codes(asked.caller, code, asked.now)
        except (EnrolmentInvalid, InvalidParams, TooManyAttempts) as refusal:
            return _asking_page(site, asked.caller, error=wrong_code(site, refusal))
        if codes is None:
            return _asking_page(site, asked.caller, error=wrong_code(site))
        return codes_page(site, asked.caller, codes)

    @blueprint.post("/backup-codes/file")
    def save_codes() -> Response:
        """Give the codes that a page has shown back as a file; they are kept nowhere."""
        account, codes = site.caller().account, site.form(FILE)["codes"].split(" ")
        response = Response(
            "\r\n".join([_title(site, account.username), "", *codes, ""]),
            mimetype="text/plain",
            headers=HEADERS,
        )
        response.headers.set("Content-Disposition", "attachment", filename="backup-codes.txt")
        return response


def codes_page(
    site: Site, caller: Caller, codes: tuple[str, ...], *, enrolled: bool = False
) -> Response:
    """The new backup codes, which nobody can show again."""
    shown = [f"{code[:HALF]}-{code[HALF:]}" for code in codes]
    title = _title(site, caller.account.username)
    return site.page("codes", codes=shown, title=title, enrolled=enrolled)


def _title(site: Site, name: str) -> str:
    workspace = site.runtime.settings.workspace
    return site.translate(
        "Backup codes of %(name)s at %(workspace)s", name=name, workspace=workspace
    )


def _asking_page(site: Site, caller: Caller, *, error: str = "") -> Response:
    status = site.runtime.factors.status(caller.account.id)
    return site.page(
        "codes_ask",
        status=400 if error else 200,
        on=status.totp,
        left=status.backup_codes_left,
        error=error,
        field="code",
    )
