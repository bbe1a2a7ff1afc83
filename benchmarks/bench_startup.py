"""How long the light commands take, each as a process of its own: ``--help``, ``list`` and every ``list KIND``.

Medians of several starts, in turn. torch is not imported by any of them, which is looked up in ``sys.modules``.

Target: under 0.5 s each.
"""

import subprocess
import sys
import time

from benchmark import in_turn, verdict

from assay.tools.names import KINDS

ROUNDS = 7
COMMANDS = [["--help"], ["list"], *(["list", kind] for kind in KINDS)]


def seconds(arguments: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "assay", *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def imports_torch(arguments: list[str]) -> bool:
    script = f"import sys; from assay.cli import app; app({arguments!r}, standalone_mode=False); "
    script += "sys.exit('torch' in sys.modules)"
    return subprocess.run([sys.executable, "-c", script], stdout=subprocess.DEVNULL).returncode != 0


def main() -> None:
    sides = {" ".join(["assay", *arguments]): arguments for arguments in COMMANDS}
    medians = in_turn(ROUNDS, **{name: lambda a=arguments: seconds(a) for name, arguments in sides.items()})
    for name, median in medians.items():
        verdict(name, median, 0.5, " s")
    heavy = [name for name, arguments in sides.items() if imports_torch(arguments)]
    print(f"MISS  torch is imported by {', '.join(heavy)}" if heavy else "PASS  torch is not imported by any of them")


if __name__ == "__main__":
    main()
