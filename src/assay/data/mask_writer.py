"""The masks of pictures as they are decoded, on the canvas and in their own pixels, mask after mask into files."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from assay.data.decode import fitted
from assay.data.geometry import Size
from assay.data.npy import write_header
from assay.data.own_masks import VALUES, VOID, Mask, count, digest
from assay.data.targets import Masks
from assay.recipe import Fit


@contextmanager
def mask_writer(folder: Path, fit: Fit) -> Iterator[Callable[[Mask, Size], None]]:
    """What takes a mask and the size of the canvas; ``read_targets`` then finds ``Masks`` in the folder.

    A mask comes to the canvas by its nearest pixels: it gets no class that it has not, just there.
    """
    places, counts, digests, written, shape = [], [], [], 0, (0, 0)
    with ExitStack() as stack:
        files = {
            field: stack.enter_context(open(folder / f"{Masks.stored[field]}.npy", "wb"))
            for field in ("values", "pixels")
        }
        write_header(files["values"], (0, 1, 1))
        write_header(files["pixels"], (0,))

        def add(mask: Mask, canvas: Size) -> None:
            nonlocal written, shape
            shape = canvas
            on_canvas = fitted(Image.fromarray(mask), canvas, fit, Image.Resampling.NEAREST, VOID)
            files["values"].write(np.asarray(on_canvas).tobytes())
            is_canvas = mask.shape == canvas
            places.append([-1 if is_canvas else written, *mask.shape])
            if not is_canvas:
                files["pixels"].write(mask.tobytes())
                written += mask.size
            counts.append(count(mask))
            digests.append(digest(mask))

        yield add
        write_header(files["values"], (len(places), *shape))
        write_header(files["pixels"], (written,))
    np.save(folder / f"{Masks.stored['places']}.npy", np.array(places, dtype=np.int64).reshape(-1, 3))
    np.save(folder / f"{Masks.stored['counts']}.npy", np.array(counts, dtype=np.uint32).reshape(-1, VALUES))
    np.save(folder / f"{Masks.stored['digests']}.npy", np.array(digests, dtype=np.uint8).reshape(-1, 32))
