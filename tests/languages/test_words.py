"""Texts and times in a reader's language."""

import ast
import re
import shlex
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from babel.messages.frontend import CommandLineInterface

from e2ereset.agents import read_agent
from e2ereset.errors import SettingsError
from e2ereset.languages import PSEUDO, Languages
from tests.kit import catalogues
from tests.kit.paths import ROOT

BOTH = Languages(["en", "de", PSEUDO])
AT = 1_790_000_000
PLACE = re.compile(r"%\(\w+\)s")


@pytest.mark.parametrize(
    ("wanted", "language"),
    [
        (["de"], "de"),
        (["de-AT"], "de"),
        (["DE"], "de"),
        (["fr", "de", "en"], "de"),
        (["fr"], "en"),
        (["", "de"], "de"),
        ([], "en"),
    ],
)
def test_a_reader_gets_the_first_language_that_there_is(wanted, language):
    assert BOTH.pick(*wanted) == language


def test_a_text_is_translated_and_its_facts_put_in():
    assert BOTH.words("de")("My security") == "Meine Sicherheit"
    assert BOTH.words("en")("Signed in as %(name)s.", name="bob") == "Signed in as bob."


def test_no_text_is_no_text_in_any_language():
    assert [BOTH.words(name)("") for name in BOTH.names] == [""] * len(BOTH.names)


def test_a_text_that_no_catalogue_has_stays_english():
    assert BOTH.words("de")("Nobody wrote this.") == "Nobody wrote this."


@pytest.mark.parametrize(
    ("language", "zone", "text"),
    [
        ("en", "", "21 September 2026, 14:13 UTC"),
        ("de", "", "21. September 2026, 14:13 UTC"),
        ("en", "Europe/Vienna", "21 September 2026, 16:13 CEST"),
        ("en", "No/Where", "21 September 2026, 14:13 UTC"),
    ],
)
def test_a_time_is_told_in_words_and_in_the_readers_zone(language, zone, text):
    assert BOTH.words(language, zone=zone).time(AT) == text


def test_a_program_is_told_in_the_readers_language():
    german = BOTH.words("de").program
    assert german("Firefox on Linux") == "Firefox unter Linux"
    assert german("an unknown program on iOS") == "ein unbekanntes Programm unter iOS"
    assert [german(""), german("curl")] == ["ein unbekanntes Programm", "curl"]
    assert BOTH.words("en").program(read_agent("x (X11)")) == "an unknown program on Linux"


def test_the_pseudo_locale_is_read_from_right_to_left():
    words = BOTH.words(PSEUDO)
    assert words.direction == "rtl"
    assert words("Sign in").strip("\u200f") == "Sign in"
    assert words("Sign in") != "Sign in"


def test_a_language_without_a_catalogue_refuses_to_start():
    with pytest.raises(SettingsError, match="E2ERESET_CATALOGUES"):
        Languages(["en", "fr"])


def test_a_catalogue_of_the_host_comes_first_and_ours_fills_in(tmp_path):
    folder = tmp_path / "de" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    own = catalogues.Catalog(locale="de")
    own.add("Sign in", "Hereinspaziert")
    (folder / "e2ereset.mo").write_bytes(catalogues.compiled(own))
    words = Languages(["de"], str(tmp_path)).words()
    assert (words("Sign in"), words("Password")) == ("Hereinspaziert", "Passwort")


@pytest.fixture
def translate(tmp_path, monkeypatch):
    """What docs/pages.md says: make a catalogue, translate in it, and compile it."""
    page = (ROOT / "docs" / "pages.md").read_text(encoding="utf-8")
    (block,) = [b for b in re.findall("```sh\\n(.*?)```", page, re.DOTALL) if "pybabel" in b]
    template, init, build = block.strip().splitlines()
    monkeypatch.chdir(tmp_path)

    def translate(language, words):
        code = shlex.split(template)[2]
        with Path("e2ereset.pot").open("w", encoding="utf-8") as out, redirect_stdout(out):
            exec(code)
        CommandLineInterface().run(shlex.split(init.replace("fr", language)))
        path = tmp_path / "catalogues" / language / "LC_MESSAGES" / "e2ereset.po"
        made = catalogues.read(path)
        for one in made:
            one.string = words.get(catalogues.first(one.id), one.string) if one.id else one.string
        with path.open("wb") as stream:
            catalogues.write_po(stream, made)
        CommandLineInterface().run(shlex.split(build))
        return str(tmp_path / "catalogues")

    return translate


def test_a_host_adds_a_language_and_changes_words_as_the_docs_say(translate):
    waits = ("Várj %(count)s órát.", "Várj %(count)s órát.")
    translate("hu", {"English": "Magyar", "Try again in %(count)s hour.": waits})
    folder = translate("de", {"Sign in": "Hereinspaziert"})
    languages = Languages(["en", "de", "hu"], folder)
    assert languages.labels() == {"en": "English", "de": "Deutsch", "hu": "Magyar"}
    words = languages.words("hu-HU")
    assert (words("Password"), words.wait(9000)) == ("Password", "Várj 3 órát.")
    german = languages.words("de")
    assert (german("Sign in"), german("Password")) == ("Hereinspaziert", "Passwort")
    assert german.wait(9000) == "Versuchen Sie es in 3 Stunden noch einmal."


def test_a_language_without_its_name_is_called_by_its_tag(translate):
    languages = Languages(["en", "he"], translate("he", {"Sign in": "כניסה"}))
    assert languages.labels() == {"en": "English", "he": "he"}
    words = languages.words("he")
    assert (words.direction, words.wait(9000)) == ("rtl", "Try again in 3 hours.")


def test_the_template_for_translators_has_every_text():
    """Run `make words` after a change."""
    assert catalogues.TEMPLATE.read_bytes() == catalogues.untranslated()


@pytest.mark.parametrize("po", catalogues.po_files(), ids=lambda path: path.parts[-3])
def test_a_compiled_catalogue_is_that_of_its_source(po):
    """Run `make words` after a change."""
    assert po.with_suffix(".mo").read_bytes() == catalogues.compiled(catalogues.read(po))


@pytest.mark.parametrize("po", catalogues.po_files(), ids=lambda path: path.parts[-3])
def test_a_translation_has_the_facts_of_its_text(po):
    for one in catalogues.read(po):
        source = one.id if isinstance(one.id, tuple) else (one.id,)
        facts = {fact for text in source for fact in PLACE.findall(text)}
        for text in catalogues.translations(one) if one.id else ():
            assert set(PLACE.findall(text)) == facts, one.id


@pytest.mark.parametrize("po", catalogues.po_files(), ids=lambda path: path.parts[-3])
def test_every_text_is_translated(po):
    """Run `make words`, and translate what it has added."""
    known = {one.id: all(catalogues.translations(one)) for one in catalogues.read(po)}
    assert [text for text in catalogues.texts() if not known.get(text)] == []


def test_every_refusal_has_words_that_a_catalogue_can_translate():
    for kind in catalogues.refusals():
        text = catalogues.told(kind)
        assert text in catalogues.texts(), kind
        assert " " in text, f"{kind} has no words for people"
        assert "%" not in text, f"{kind} has values in its words"


def test_words_that_a_page_shows_are_not_made_where_a_refusal_is_raised():
    """A catalogue could not have them: give the class `plain` words, which a page shows then."""
    plain = (ast.Constant, ast.Name)
    assert [one for one in catalogues.words_given() if not isinstance(one[1], plain)] == []


def test_a_count_has_the_form_of_its_language():
    forms = ("Try again in %(count)s hour.", "Try again in %(count)s hours.")
    assert BOTH.words("de").counted(*forms, 1) == "Versuchen Sie es in 1 Stunde noch einmal."
    assert BOTH.words("de").counted(*forms, 3) == "Versuchen Sie es in 3 Stunden noch einmal."
    assert BOTH.words("en").counted(*forms, 1) == "Try again in 1 hour."
    assert BOTH.words(PSEUDO).counted(*forms, 2).strip("\u200f") == "Try again in 2 hours."


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1, "Try again in 1 minute."),
        (61, "Try again in 2 minutes."),
        (7200, "Try again in 120 minutes."),
        (86400, "Try again in 24 hours."),
    ],
)
def test_a_wait_is_told_rounded_up(seconds, text):
    assert BOTH.words("en").wait(seconds) == text


def test_a_folder_that_is_not_there_and_a_broken_catalogue_refuse_to_start(tmp_path):
    with pytest.raises(SettingsError, match=r"E2ERESET_CATALOGUES.*no such folder"):
        Languages(["en", "de"], str(tmp_path / "mistyped"))
    folder = tmp_path / "fr" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    whole = catalogues.compiled(catalogues.Catalog(locale="fr"))
    for broken in (b"", b"no catalogue", whole[:-3], whole[:7]):
        (folder / "e2ereset.mo").write_bytes(broken)
        with pytest.raises(SettingsError, match=r"e2ereset\.mo is no gettext catalogue"):
            Languages(["en", "fr"], str(tmp_path))
