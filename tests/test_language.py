"""Pages in other languages: catalogues are whole; a study in Persian has a Persian page beside English files."""

import re
import string
import sys
from pathlib import Path
from typing import get_args

import pytest

from assay.errors import AssayError
from assay.language.script import as_name, digits, direction
from assay.language.speech import LOCALE, SOURCE, Language, language_called, plural, say, speaking, spoken
from assay.recipe.study import load_study
from assay.report import write_report
from assay.results import Results
from assay.results.metrics import difference_text, duration, value_text
from assay.tools.anatomy.anatomy import anatomy
from assay.tools.anatomy.page import write_anatomy
from persian import Asked, latin
from synthetic import fabricate, make_study

sys.path.insert(0, str(Path(__file__).parents[1] / "documentation"))
pytest.importorskip("babel", reason="Babel, which reads catalogues, is not installed")
import texts

LANGUAGES = texts.languages()


@pytest.fixture(scope="module")
def wanted() -> dict[str | tuple[str, ...], set[str]]:
    """What the code may say, and the placeholders of each text."""
    return {message.id: placeholders(message.id) for message in texts.extracted() if message.id}


def placeholders(said: str | tuple[str, ...]) -> set[str]:
    """``{images:,}`` and ``${name}`` of all forms of a text."""
    forms = (said,) if isinstance(said, str) else said
    scripts = {found for form in forms for found in re.findall(r"\$\{[^}]*\}", form)}
    fields = [part for form in forms for part in string.Formatter().parse(re.sub(r"\$\{[^}]*\}", "", form))]
    return scripts | {f"{name}:{spec}" for _, name, spec, _ in fields if name is not None}


def test_every_language_has_a_catalogue_and_every_catalogue_a_language() -> None:
    assert {*get_args(Language)} == {SOURCE, *(folder.name for folder in LOCALE.iterdir())}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_says_all_that_the_code_says_and_nothing_else(
    language: str, wanted: dict[str | tuple[str, ...], set[str]]
) -> None:
    found = texts.read(language)
    assert {message.id for message in found if message.id} == wanted.keys()
    assert not found.obsolete
    assert not [message.id for message in found if message.fuzzy and message.id]
    assert not [message.id for message in found if not all(texts.forms(message.string))]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_has_the_placeholders_of_the_text(
    language: str, wanted: dict[str | tuple[str, ...], set[str]]
) -> None:
    for message in texts.read(language):
        if not message.id:
            continue
        for form in texts.forms(message.string):
            # a form for one thing need not say how many
            assert placeholders(form) | {"n:"} == wanted[message.id] | {"n:"}, message.id


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_read_is_what_was_compiled(language: str) -> None:
    assert texts.place(language, "mo").read_bytes() == texts.compiled(texts.read(language))


def test_english_is_the_text_itself_and_what_a_catalogue_lacks() -> None:
    assert (spoken(), say("{n} images", n=3), digits("3.5 %"), as_name("tanh")) == ("en", "3 images", "3.5 %", "tanh")
    with speaking("fa"):
        assert (spoken(), direction()) == ("fa", "rtl")
        assert say("nobody says this of {name}", name="x") == "nobody says this of x"
        assert say("") == ""
    assert spoken() == "en"


def test_a_language_ends_with_what_is_said_in_it_also_by_an_error() -> None:
    with pytest.raises(AssayError), speaking("fa"):
        raise AssayError("so")
    assert say("seeds") == "seeds"


def test_numbers_of_a_sentence_are_persian_and_read_from_left_to_right() -> None:
    with speaking("fa"):
        assert digits("91.2 ± 0.3 %") == "\u2066۹۱٫۲\u00a0±\u00a0۰٫۳\u2069٪"
        assert digits("1,797 تصویر") == "\u2066۱٬۷۹۷\u2069 تصویر"
        assert digits("1\u202f797") == "\u2066۱٬۷۹۷\u2069"
        assert digits("−0.5 تا +2") == "\u2066−۰٫۵\u2069 تا \u2066+۲\u2069"
        assert digits("در 3.") == "در \u2066۳\u2069."


@pytest.mark.parametrize(
    "text", ["seed-0", "mAP50", "1e-4", "1.9e+04", "trial_7", "F1", "2026-11-27", "\u2068lr=0.1\u2069", "x"]
)
def test_names_and_what_is_typed_keep_their_digits(text: str) -> None:
    with speaking("fa"):
        assert digits(f"پس {text} است") == f"پس {text} است"


def test_a_sentence_is_written_once() -> None:
    with speaking("fa"):
        once = digits("tanh 95.0 % از 3 اجرا")
        assert digits(once) == once


def test_a_sentence_takes_numbers_and_units_of_the_language() -> None:
    with speaking("fa"):
        assert difference_text("accuracy", 0.025, 0.006, 0.044) == "2.5 ± 1.9 واحد درصد"
        assert value_text("accuracy", 0.95, 0.721, 1.0) == "95.0 % (72.1 تا 100.0)"
        assert duration(725) == "12 دقیقه و 5 ثانیه"
        assert plural("{n} variant", "{n} variants", 2) == "2 گونه"


def test_an_unknown_language_is_told_with_the_nearest(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text("title: x\nlanguage: farsi\nbase: {data: {source: digits}, model: {name: mlp}}\n", encoding="utf-8")
    with pytest.raises(AssayError, match=r"study\.yaml: language: found 'farsi'; .*'?fa'?"):
        load_study(file)


def test_the_page_of_a_study_in_persian(tmp_path: Path, unsaid: Asked) -> None:
    english = write_report(Results.read(fabricate(tmp_path / "en", make_study(3, 3))))
    persian = write_report(Results.read(fabricate(tmp_path / "fa", make_study(3, 3, language="fa"))))
    page = persian.read_text(encoding="utf-8")
    assert '<html lang="fa" dir="rtl">' in page
    assert '<html lang="en">' in english.read_text(encoding="utf-8")
    assert "<h2>نتیجه‌ها</h2>" in page
    assert re.search(r'<p class="verdict"[^>]*>\u2068\w+\u2069 [^<]*به‌اندازه‌ی \u2066[۰-۹٫\s±]+\u2069 واحد درصد', page)
    assert re.search(r'<td class="right[^"]*" data-value="[\d.]+" dir="ltr">\d+\.\d+ ± \d', page)
    assert 'title: "مرتب‌سازی"' in page
    assert unsaid.texts == set()


def test_the_files_beside_a_persian_page_are_those_of_an_english_one(tmp_path: Path) -> None:
    folder = fabricate(tmp_path, make_study(2, 2))
    kept = {}
    for language in ("en", "fa"):
        (folder / "study.yaml").write_text(make_study(2, 2, language=language).dump(), encoding="utf-8")
        report = write_report(Results.read(folder)).parent
        found = [path for path in report.rglob("*") if path.is_file() and path.name != "index.html"]
        kept[language] = {path.relative_to(report): path.read_bytes() for path in found}
    assert kept["en"] == kept["fa"]


KEPT = {"cnn", "stride", "padding", "softmax", "attention"}
"""A network's name, what its windows are set to by, and terms that readers know in English."""


def test_the_layers_of_a_network_in_persian(tmp_path: Path, unsaid: Asked) -> None:
    found = anatomy("cnn", "3,32,32")
    pages = {language: write_anatomy(found, tmp_path / language, language=language) for language in ("en", "fa")}
    page = pages["fa"].read_text(encoding="utf-8")
    assert '<html lang="fa" dir="rtl">' in page
    assert re.search(r"\u2066[۰-۹٬]+\u2069 پارامتر، ", page)
    assert "<h1><bdi>cnn</bdi>، لایه به لایه</h1>" in page
    layers = {word for layer in found.layers for word in (layer.name, layer.kind, *str(layer.window or "").split())}
    assert latin(page, layers | KEPT) == set()
    assert re.search(r'<td class="left" dir="auto">3×32×32</td>', page)
    assert unsaid.texts == set()
    for ending in ("csv", "tex"):
        files = [page.parent / "tables" / f"layers.{ending}" for page in pages.values()]
        assert files[0].read_bytes() == files[1].read_bytes()


def test_a_language_that_has_no_catalogue_is_refused() -> None:
    with pytest.raises(AssayError, match="unknown language 'fr'; expected one of: en, fa"):
        language_called("fr")
