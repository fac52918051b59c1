"""What a user has besides."""

# mypy: disable-error-code="name-defined,misc,attr-defined,import-untyped,untyped-decorator"

from django.conf import settings
from django.db import models


class Subscription(models.Model):
    """A room of a user, with its keys."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    room = models.CharField(max_length=24)
    key = models.TextField(null=True)
    suggested_key = models.TextField(null=True)
    old_keys = models.TextField(null=True)


class KeyPair(models.Model):
    """The keys of a user."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True)
    public_key = models.TextField()
    private_key = models.TextField()


class Audit(models.Model):
    """What was done."""

    at = models.DateTimeField(auto_now_add=True)
    action = models.CharField(max_length=64)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    address = models.GenericIPAddressField()
    agent = models.CharField(max_length=255)


class Outbox(models.Model):
    """A mail to send."""

    recipient = models.EmailField()
    kind = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)
