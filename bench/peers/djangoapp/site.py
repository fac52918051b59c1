"""The site: settings, the one view, and its people.

Used codes are in the memory of a worker, which costs less than a cache that the workers share.
"""

# mypy: disable-error-code="name-defined,misc,attr-defined,import-untyped,untyped-decorator"

import os
from datetime import timedelta
from typing import Any

import django
from django.conf import settings

from bench.facts import KEY, PEER_SECRET, ROOMS_EACH, SECRET_KEY

settings.configure(
    SECRET_KEY=SECRET_KEY,
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "allauth",
        "allauth.account",
        "allauth.mfa",
        "allauth.headless",
        "allauth.usersessions",
        "bench.peers.djangoapp",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "allauth.account.middleware.AccountMiddleware",
    ],
    AUTHENTICATION_BACKENDS=["allauth.account.auth_backends.AuthenticationBackend"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ["BENCH_DATABASE"],
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "timeout": 10,
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;",
            },
        }
    },
    HEADLESS_ONLY=True,
    HEADLESS_CLIENTS=("app",),
    MFA_TOTP_TOLERANCE=1,
    ACCOUNT_RATE_LIMITS={"login_failed": "5/300s/key"},
    ACCOUNT_REAUTHENTICATION_TIMEOUT=60,
)
django.setup()

from allauth.account.decorators import reauthentication_required  # noqa: E402
from allauth.account.models import EmailAddress  # noqa: E402
from allauth.headless.internal.sessionkit import authenticate_by_x_session_token  # noqa: E402
from allauth.mfa.models import Authenticator  # noqa: E402
from allauth.mfa.utils import encrypt  # noqa: E402
from allauth.usersessions.adapter import get_adapter  # noqa: E402
from allauth.usersessions.models import UserSession  # noqa: E402
from django.contrib.auth.hashers import make_password  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402
from django.contrib.sessions.models import Session  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import transaction  # noqa: E402
from django.http import HttpRequest, HttpResponse, JsonResponse  # noqa: E402
from django.urls import include, path  # noqa: E402
from django.utils import timezone  # noqa: E402
from django.views.decorators.csrf import csrf_exempt  # noqa: E402

from .models import Audit, KeyPair, Outbox, Subscription  # noqa: E402


@csrf_exempt
def reset(request: HttpRequest) -> HttpResponse:
    """Reset the caller's own key; a code was verified just before."""
    found = authenticate_by_x_session_token(request.headers.get("X-Session-Token", ""))
    if found is None or found.user is None:
        return JsonResponse({"success": False}, status=401)
    request.user, request.session = found.user, found.session
    return _reset(request)


@reauthentication_required()
@transaction.atomic
def _reset(request: Any) -> HttpResponse:
    user = request.user
    Subscription.objects.filter(user=user).update(key=None, suggested_key=None, old_keys=None)
    KeyPair.objects.filter(user=user).delete()
    get_adapter().end_sessions(UserSession.objects.filter(user=user))
    address, agent = request.META["REMOTE_ADDR"], request.headers.get("User-Agent", "")
    Audit.objects.create(action="reset-e2e-key", user=user, address=address, agent=agent)
    for email in EmailAddress.objects.filter(user=user, verified=True):
        Outbox.objects.create(recipient=email.email, kind="key-reset")
    return JsonResponse({"success": True})


urlpatterns = [path("_allauth/", include("allauth.headless.urls")), path("reset", reset)]
app = get_wsgi_application()


def fill(count: int) -> list[str]:
    """People, and their tokens: the keys of their sessions."""
    call_command("migrate", run_syncdb=True, verbosity=0)
    names = [f"u{i}" for i in range(count)]
    facts = {"password": make_password(None)}
    users = [User(username=name, email=f"{name}@example.org", **facts) for name in names]
    User.objects.bulk_create(users)
    totp = {"type": Authenticator.Type.TOTP, "data": {"secret": encrypt(PEER_SECRET)}}
    Authenticator.objects.bulk_create([Authenticator(user=user, **totp) for user in users])
    EmailAddress.objects.bulk_create(
        [EmailAddress(user=user, email=user.email, verified=True, primary=True) for user in users]
    )
    KeyPair.objects.bulk_create(
        [KeyPair(user=user, public_key=KEY, private_key=KEY) for user in users]
    )
    rooms = [Subscription(user=u, room=f"r{n}", key=KEY) for u in users for n in range(ROOMS_EACH)]
    Subscription.objects.bulk_create(rooms)
    return _sign_in(users)


def _sign_in(users: list[User]) -> list[str]:
    tokens = [f"session{user.pk:025d}" for user in users]
    store, end = SessionStore(), timezone.now() + timedelta(days=1)
    backend = settings.AUTHENTICATION_BACKENDS[0]
    sessions, places = [], []
    for user, token in zip(users, tokens, strict=True):
        facts = {"_auth_user_id": str(user.pk), "_auth_user_backend": backend}
        facts["_auth_user_hash"] = user.get_session_auth_hash()
        sessions.append(
            Session(session_key=token, session_data=store.encode(facts), expire_date=end)
        )
        places.append(UserSession(user=user, session_key=token, ip="127.0.0.1", user_agent="wrk"))
    Session.objects.bulk_create(sessions)
    UserSession.objects.bulk_create(places)
    return tokens
