"""The languages of pages and mails: gettext catalogues, ours and a host's."""

from .words import PSEUDO, Languages, Words

__all__ = ["PSEUDO", "Languages", "Words"]
