"""The cookies of pages: no script reads them, and no form of another site has them sent along."""

from typing import Any

from flask import request

from e2ereset.settings import Settings


def set_cookie(response: Any, settings: Settings, name: str, value: str, **more: Any) -> None:
    """Set a cookie for the whole app; `more` are other options of Flask's `set_cookie`.

    It is sent over TLS alone where the pages are reached so. E2ERESET_PAGES_URL says it too, as a
    proxy that ends TLS may not say it.
    """
    secure = request.is_secure or settings.pages_url.startswith("https://")
    for_all = {"path": f"{request.root_path}/", "httponly": True, "samesite": "Lax"}
    response.set_cookie(name, value, secure=secure, **for_all | more)
