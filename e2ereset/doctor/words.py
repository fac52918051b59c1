"""The words of this package's findings."""

from .findings import Catalogue

found = Catalogue("e2ereset.doctor")
