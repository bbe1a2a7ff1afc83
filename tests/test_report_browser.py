"""The report in a real browser: it draws, it stays offline, and hostile names stay names."""

import re
import shutil
import subprocess

import pytest

from assay.report import write_report
from assay.results import Results
from synthetic import fabricate, make_study

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--virtual-time-budget=20000",
    "--window-size=1280,1000", "--enable-logging=stderr", "--dump-dom",
]  # fmt: skip

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium; apt-get install chromium")

HACK = "<img src=x onerror=\"document.documentElement.dataset.hacked='yes'\">"
POKE = """<script type="module">
const drawn = () => document.documentElement.dataset.state === "drawn" ? poke() : setTimeout(drawn, 50);
function poke() {
  for (const details of document.querySelectorAll("details")) details.open = true;
  for (const mark of document.querySelectorAll("[data-chart=effect] .mark-symbol path")) {
    const { x, y } = mark.getBoundingClientRect();
    for (const type of ["pointermove", "mousemove"])
      mark.dispatchEvent(new PointerEvent(type, { bubbles: true, clientX: x, clientY: y }));
    const tip = document.getElementById("tip");
    if (!tip.hidden) document.documentElement.dataset.tip += tip.innerText;
  }
  document.querySelectorAll(".legend button")[1].click();
}
drawn();
</script>"""


def browse(path, tmp_path):
    """The document after its scripts have run, and what the console said."""
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, encoding="utf-8")
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return re.sub(r"<script.*?</script>", "", done.stdout, flags=re.S), console


def test_every_chart_is_drawn_and_nothing_complains(tmp_path):
    path = write_report(Results.read(fabricate(tmp_path, make_study(3, 2))))
    document, console = browse(path, tmp_path)
    assert console == []
    places = re.findall(r'<div class="chart[^"]*" data-chart="([^"]+)"[^>]*data-state="(\w+)"', document)
    of_other_metrics = len(re.findall(r'data-chart="effect-', document))
    assert len(places) == document.count("data-chart=") - of_other_metrics == document.count("<svg") >= 10
    assert {state for _, state in places} == {"drawn"}


def test_hostile_names_stay_names_without_the_policy_that_also_stops_them(tmp_path):
    names = {HACK: {}, f"b {HACK}": {"train.epochs": 5}, "c": {"train.epochs": 6}}
    study = make_study(seeds=2).model_copy(update={"vary": {}, "variants": names})
    path = write_report(Results.read(fabricate(tmp_path, study, classes=[HACK, "</script>" + HACK, "c"])))
    page = path.read_text("utf-8")
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    end = page.rindex("</body>")
    (tmp_path / "poked.html").write_text(page[:end] + POKE + page[end:], encoding="utf-8")
    document, console = browse(tmp_path / "poked.html", tmp_path)
    assert console == []
    assert "data-hacked" not in document.split(">", 2)[1]
    assert not re.search(r"<img src=.?x", document)
    assert "b &lt;img src=x" in re.search(r'data-tip="([^"]*)"', document)[1].replace("<", "&lt;")
    assert 'aria-pressed="true"' in document
