"""What a folder may be called on every file system."""

import hashlib
import re

LONGEST_NAME = 120
"""Bytes of a folder's name; file systems take 255 with what temporary files add."""
DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{kind}{n}" for kind in ("COM", "LPT") for n in range(1, 10))}
"""What Windows does not let a file be called."""
RESERVED = ("study.yaml", "machine.json", "looks.jsonl", "report", "slurm")
"""What lies beside the variants in a study's folder."""


def folder_name(name: str) -> str:
    """``name`` without what some file system refuses; letters of every script are kept."""
    safe = re.sub(r'[\x00-\x1f<>:"/\\|?*\u202a-\u202e\u2066-\u2069]', "_", name.replace(", ", ",")).strip(" .")
    if len(safe.encode()) > LONGEST_NAME:
        mark = hashlib.sha256(name.encode()).hexdigest()[:8]
        safe = safe.encode()[: LONGEST_NAME - 9].decode(errors="ignore") + "-" + mark
    return f"_{safe}" if safe.split(".")[0].upper() in DEVICES else safe or "_"
