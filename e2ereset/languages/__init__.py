"""The languages of pages and mails: gettext catalogues, ours and a host's."""

from .patterns import pattern_of
from .words import N_, PSEUDO, TEMPLATE, Languages, Words

__all__ = ["N_", "PSEUDO", "TEMPLATE", "Languages", "Words", "pattern_of"]
