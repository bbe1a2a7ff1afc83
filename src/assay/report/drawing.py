"""The figures as files of their own, SVG and PDF.

Vega runs in V8, which reserves tens of gigabytes of addresses and ends its whole process where it cannot have them.
Where addresses are limited (``ulimit -v``) the figures are therefore drawn by a process of their own; if it dies, the
page is written without these files, and says so.
"""

import base64
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import vl_convert

Specs = Mapping[str, dict[str, Any]]


@dataclass(frozen=True)
class Drawn:
    """Each figure by its name."""

    svg: dict[str, str] = field(default_factory=dict)
    pdf: dict[str, bytes] = field(default_factory=dict)
    trouble: str = ""
    """Why there are none, or not all."""


def draw(specs: Specs, config: dict[str, Any], version: str) -> Drawn:
    """These Vega-Lite specifications, in a configuration and by a version."""
    if not specs:
        return Drawn()
    return here(specs, config, version) if address_limit() is None else apart(specs, config, version)


def here(specs: Specs, config: dict[str, Any], version: str) -> Drawn:
    """In this process; a figure that Vega refuses is told and left out."""
    svg, pdf, failed = {}, {}, []
    for name, spec in specs.items():
        try:
            svg[name] = drawn(spec, config, version)
            pdf[name] = steady(vl_convert.svg_to_pdf(svg[name]))
        except ValueError as error:
            failed.append(f"{name}: {' '.join(str(error).splitlines()[:2])}")
    return Drawn(svg, pdf, f"Figures that could not be drawn: {'; '.join(failed)}." if failed else "")


def apart(specs: Specs, config: dict[str, Any], version: str) -> Drawn:
    """In a process that may die."""
    asked = json.dumps([specs, config, version]).encode()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-m", __name__], input=asked, capture_output=True, env=environment)
    if done.returncode:
        return Drawn(trouble=trouble(done.returncode, done.stderr.decode(errors="replace")))
    svg, pdf, told = json.loads(done.stdout)
    return Drawn(svg, {name: base64.b64decode(letters) for name, letters in pdf.items()}, told)


def main() -> None:
    """What ``apart`` has another process do."""
    found = here(*json.load(sys.stdin.buffer))
    pdf = {name: base64.b64encode(content).decode() for name, content in found.pdf.items()}
    sys.stdout.buffer.write(json.dumps([found.svg, pdf, found.trouble]).encode())


def trouble(code: int, said: str) -> str:
    """How the process ended, and what may be done about it."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    ended = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"failed ({lines[-1] if lines else code})"
    limit = address_limit()
    way_out = f" Addresses are limited to {limit / 2**30:.3g} GiB: `ulimit -v unlimited` lifts it." if limit else ""
    told = "The figures are on the page, but there are no SVG and PDF files"
    return f"{told}: the process that draws them {ended}.{way_out}"


def address_limit() -> int | None:
    """Bytes of addresses that a process may have; None where nothing limits them."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    soft = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if soft == resource.RLIM_INFINITY else soft


def drawn(spec: dict[str, Any], config: dict[str, Any], version: str) -> str:
    """As SVG; vl-convert counts clip paths on and on, here each file from zero."""
    text: str = vl_convert.vegalite_to_svg(spec, vl_version=version, config=config)
    numbers = {old: str(new) for new, old in enumerate(dict.fromkeys(re.findall(r'<clipPath id="clip(\d+)"', text)))}
    renumbered: str = re.sub(
        r'(<clipPath id="clip|clip-path="url\(#clip)(\d+)', lambda m: m[1] + numbers.get(m[2], m[2]), text
    )
    return renumbered


def steady(pdf: bytes) -> bytes:
    """The same PDF for the same figure: vl-convert lists its resources in an order of chance.

    It also numbers fonts by chance, so a figure has one, in one weight.
    """
    listed = rb"(?<=<<\n)(?: +/\w+ \d+ \d+ R\n)+"
    return re.sub(listed, lambda found: b"".join(sorted(found[0].splitlines(keepends=True))), pdf)


if __name__ == "__main__":
    main()
