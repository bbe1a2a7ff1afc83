"""The report over 20 finished runs: tables, figures as SVG, CSV and LaTeX, and the page.

The runs are made up by tests/synthetic.py (4 variants × 5 seeds, 10 classes, 10,000 test images each, as in
Fashion-MNIST), so no data are needed. The first report of a process also loads the drawing libraries: it is the one
that counts, since a user waits for it.

Target: under 10 s.
"""

import sys
import tempfile
import time
from pathlib import Path

from benchmark import verdict

from assay.report.page import write_report

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))


def main() -> None:
    from synthetic import fabricate, make_study

    classes = [f"class {n}" for n in range(10)]
    with tempfile.TemporaryDirectory() as root:
        folder = fabricate(Path(root), make_study(variants=4, seeds=5), classes=classes, images=10_000)
        seconds = []
        for _ in range(3):
            began = time.perf_counter()
            from assay.results import Results

            page = write_report(Results.read(folder))
            seconds.append(time.perf_counter() - began)
        files = [path for path in page.parent.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files)
    timed = ", ".join(f"{s:.2f} s" for s in seconds)
    print(f"the first and two more: {timed}; {len(files)} files, {size / 1e6:.1f} MB")
    verdict("a report over 20 runs", seconds[0], 10, " s")


if __name__ == "__main__":
    main()
