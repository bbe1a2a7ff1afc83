"""One of several processes that tell a study's decisions at the same moments; started by test_looks.py.

``looker.py <folder> <rounds> <begin> <first>``: in round r, at ``begin`` + r/50 seconds of the wall clock, it tells
those from the first ``first`` + r seeds, and prints the level at which it does.
"""

import sys
import time
from pathlib import Path

from assay.results.comparing.looks import look_at, told

folder, rounds, begin, first = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
for number in range(rounds):
    while time.time() < begin + number / 50:
        pass
    look = look_at(range(first + number), ["a", "b"])
    print(told(folder, look).level(look), flush=True)
