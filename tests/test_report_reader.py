"""What a reader can do on the page, in a real browser: choose a metric, sort, filter, pick variants, ask for a word."""

import json
import re

import pytest

from assay.report import write_report
from assay.results import Results
from synthetic import fabricate, make_study
from test_report_browser import CHROMIUM, browse

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium; apt-get install chromium")

READ = """<script type="module">
const all = (where) => [...document.querySelectorAll(where)];
const drawn = () => (document.documentElement.dataset.state === "drawn" ? read() : setTimeout(drawn, 50));
const found = {};
const wait = (test) => new Promise((done) => { const look = () => (test() ? done() : setTimeout(look, 50)); look(); });
const seen = (where) => all(where).filter((one) => one.checkVisibility());
const table = () => seen("table[data-variants]")[0];
const rows = () => [...table().tBodies[0].rows].filter((row) => !row.hidden);
const names = () => rows().map((row) => row.querySelector("bdi").textContent);
async function read() {
  found.first = seen(".verdict").map((one) => one.textContent);
  const [menu, second] = all(".chooser select");
  menu.value = "parameters";
  menu.dispatchEvent(new Event("change"));
  await wait(() => document.querySelector("[data-chart=effect-parameters]").dataset.state === "drawn");
  found.second = seen(".verdict").map((one) => one.textContent);
  found.menus = second.value;
  menu.value = menu.options[0].value;
  menu.dispatchEvent(new Event("change"));
  found.order = names();
  const head = [...table().tHead.rows[0].cells].findIndex((one) => one.textContent.startsWith("test loss"));
  const sort = table().tHead.rows[0].cells[head].querySelector(".sort");
  sort.click();
  found.losses = rows().map((row) => Number(row.cells[head].dataset.value));
  sort.click();
  found.descending = table().tHead.rows[0].cells[head].getAttribute("aria-sort");
  sort.click();
  found.again = names();
  const filter = document.querySelector(".filter input");
  filter.value = "14";
  filter.dispatchEvent(new Event("input"));
  found.filtered = names();
  filter.value = "";
  filter.dispatchEvent(new Event("input"));
  const grey = all(".legend button").filter((one) => one.style.getPropertyValue("--swatch").includes("--pick-"));
  found.greys = new Set(grey.map((one) => one.textContent)).size;
  const pick = all("button.pick").find((one) => one.dataset.variant === grey[0].textContent);
  const own = grey[0].style.getPropertyValue("--swatch").slice(4, -1);
  found.before = document.documentElement.style.getPropertyValue(own);
  pick.click();
  found.after = document.documentElement.style.getPropertyValue(own);
  found.pressed = grey[0].getAttribute("aria-pressed");
  await new Promise((done) => setTimeout(done, 500));
  const lines = all("[data-chart=learning-train-loss] .mark-line path");
  const lifted = lines.filter((line) => (line.getAttribute("opacity") ?? "1") === "1");
  found.lifted = lifted.map((line) => line.getAttribute("stroke"));
  found.own = `var(${own})`;
  const [term] = seen("button.term").filter((one) => one.textContent.endsWith("t interval"));
  term.click();
  found.meaning = document.querySelector(":popover-open").textContent;
  term.click();
  found.closed = document.querySelector(":popover-open") === null;
  document.documentElement.dataset.found = JSON.stringify(found);
}
drawn();
</script>"""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reader")
    named = {f"variant {i}": {"train.optimizer": {"name": "sgd", "lr": 0.01 * (i + 1)}} for i in range(18)}
    study = make_study(seeds=2).model_copy(update={"vary": {}, "variants": named})
    page = write_report(Results.read(fabricate(folder, study))).read_text("utf-8")
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    end = page.rindex("</body>")
    (folder / "read.html").write_text(page[:end] + READ + page[end:], encoding="utf-8")
    document, console = browse(folder / "read.html", folder)
    assert console == []
    return json.loads(re.search(r'data-found="([^"]*)"', document)[1].replace("&quot;", '"').replace("&amp;", "&"))


def test_the_reader_chooses_what_the_verdict_is_about(found):
    (first,), (second,) = found["first"], found["second"]
    assert first.startswith(("Use variant ", "Cannot tell which is best: variant "))
    assert "the fewest parameters" in second
    assert found["menus"] == "parameters"


def test_a_table_of_variants_is_sorted_and_put_back(found):
    assert len(found["losses"]) == 18
    assert found["losses"] == sorted(found["losses"])
    assert found["descending"] == "descending"
    assert found["again"] == found["order"]


def test_a_table_of_variants_is_filtered(found):
    assert found["filtered"] == ["variant 14"]


def test_a_picked_variant_leaves_the_grey_of_the_rest_in_every_chart(found):
    assert found["greys"] == 12
    assert (found["before"], found["pressed"]) == ("var(--rest)", "true")
    assert re.fullmatch(r"var\(--c\d\)", found["after"])
    assert found["lifted"] == [found["own"]]


def test_a_word_says_what_it_means_and_closes_again(found):
    assert "Student's t" in found["meaning"]
    assert found["closed"]
