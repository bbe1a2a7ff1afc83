"""The page of worked numbers in a real browser: what lights up, the keyboard, paper."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assay.tools.worked.command import explain_numbers
from chrome import chrome
from test_report_browser import CHROMIUM

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium; apt-get install chromium")
NUMBERS = Path(__file__).parents[1] / "studies" / "explain" / "convolution.yaml"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("worked")
    path = explain_numbers(NUMBERS, folder / "page").page
    with chrome(folder) as browser:
        browser.open(path, 1280)
        yield browser


def texts(page: Any, selector: str) -> list[str]:
    found: list[str] = page.run(f"[...document.querySelectorAll({selector!r})].map((each) => each.textContent)")
    return found


def press(page: Any, key: str, shift: bool = False) -> None:
    event = f"new KeyboardEvent('keydown', {{ key: '{key}', shiftKey: {str(shift).lower()}, bubbles: true }})"
    page.run(f"(document.activeElement ?? document.body).dispatchEvent({event})")


def at(page: Any, selector: str) -> None:
    """As a finger does it: chosen, and the keyboard's place."""
    page.run(f"document.querySelector({selector!r}).focus()")
    page.run(f"document.querySelector({selector!r}).click()")


def test_a_number_lights_up_what_its_sum_is_made_of(page: Any) -> None:
    at(page, "#step-O .result [data-p='3']")
    lit = page.run(
        "[...document.querySelectorAll('#step-O .lit')]"
        ".map((cell) => [cell.closest('.board').dataset.a, cell.dataset.p, cell.dataset.with])"
    )
    assert lit == [
        ["X", "4", "·2"], ["X", "5", "·0"], ["X", "7", "·(−3)"], ["X", "8", "·1"],
        ["F", "0", "·1"], ["F", "1", "·(−3)"], ["F", "2", "·(−2)"], ["F", "3", "·0"],
    ]  # fmt: skip
    assert texts(page, "#step-O .sum") == ["O[2, 2] = 1·2 + (−3)·0 + (−2)·(−3) + 0·1 = 8"]


def test_arrows_go_from_number_to_number_and_with_shift_from_step_to_step(page: Any) -> None:
    at(page, "#step-O .result [data-p='3']")
    press(page, "ArrowRight")
    assert texts(page, "#player output") == ["L: number 1 of 1, step 2 of 9"]
    press(page, "ArrowRight", shift=True)
    press(page, "ArrowDown")
    assert texts(page, "#player output") == ["dO[2, 1]: number 3 of 4, step 3 of 9"]
    press(page, "ArrowLeft")
    assert texts(page, ".now") == ["0.25"]
    assert texts(page, "#step-dO .sum") == ["dO[1, 2] = 0.25"]


def test_an_operand_shows_where_it_goes(page: Any) -> None:
    page.run("document.querySelector('#step-O .operands [data-a=X] [data-p=\"1\"]').click()")
    assert texts(page, "#step-O .goes") == ["1", "2"]


def test_what_is_wrong_is_marked_in_the_mistake_and_in_the_claim(page: Any) -> None:
    assert len(texts(page, "#turned .wrong")) == 8
    assert texts(page, "#claims .wrong") == ["1.25"]


def test_every_sum_is_on_paper(page: Any) -> None:
    page.ask("Emulation.setEmulatedMedia", media="print")
    shown = page.run(
        "[...document.querySelectorAll('.sums')].every((list) => getComputedStyle(list).display !== 'none')"
    )
    bar = page.run("getComputedStyle(document.getElementById('player')).display")
    page.ask("Emulation.setEmulatedMedia", media="screen")
    assert shown
    assert bar == "none"
    assert len(texts(page, ".sums li")) == 4 + 1 + 4 + 4 + 9 + 16 + 4 + 9 + 9


def test_what_grows_too_wide_when_it_lights_up_is_scrolled_by_the_keyboard(page: Any) -> None:
    plane = "document.querySelector('#step-O .plane')"
    assert not page.run(f"{plane}.hasAttribute('tabindex')")
    page.run(f"{plane}.querySelector('table').style.width = '2000px'")
    page.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))")
    assert page.run(f"{plane}.getAttribute('tabindex')") == "0"
