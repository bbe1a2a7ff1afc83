"""One of several processes that claim the same runs at the same moments; started by test_claim.py.

``claim_racer.py <folder> <rounds> <begin> <links>``: in round r, at ``begin`` + r/50 seconds of the wall clock, it
claims ``folder/r``. It prints the rounds it won and holds them until its input ends.
"""

import errno
import os
import sys
import time
from pathlib import Path

from assay.system.claim import Watch, acquire


def no_links(*_: object) -> None:
    """What exFAT says."""
    raise OSError(errno.EPERM, "Operation not permitted")


folder, rounds, begin = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
if sys.argv[4] == "no-links":
    os.link = no_links
won = []
for number in range(rounds):
    while time.time() < begin + number / 50:
        pass
    if acquire(folder / str(number), Watch()):
        won.append(number)
print(*won, flush=True)
sys.stdin.read()
