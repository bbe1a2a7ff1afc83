"""Rows of bytes appended to an npy file whose length is known at the end."""

from typing import Any, BinaryIO

import numpy as np


def write_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    """The header of an array of uint8, at the file's beginning.

    NumPy leaves room in it for the first length to grow, so writing it again moves nothing.
    """
    header: dict[str, Any] = {"descr": "|u1", "fortran_order": False, "shape": shape}
    file.seek(0)
    np.lib.format.write_array_header_1_0(file, header)
