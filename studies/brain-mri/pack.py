"""The brain scans as the studies take them, from a clone of the repository that they come from.

    git clone https://github.com/MohamedAliHabib/Brain-Tumor-Detection
    python studies/brain-mri/pack.py Brain-Tumor-Detection data/brain-mri.zip

Every picture of ``augmented data/yes`` and ``no`` becomes a gray JPEG of 256×256 pixels under its own name.
"""

import io
import sys
import zipfile
from pathlib import Path

from PIL import Image


def main() -> None:
    """Pack the clone that is named first on the command line into the zip that is named second."""
    clone, target = map(Path, sys.argv[1:])
    pictures = [path for kind in ("yes", "no") for path in sorted((clone / "augmented data" / kind).glob("*.jpg"))]
    if not pictures:
        sys.exit(f"{clone} has no pictures in 'augmented data/yes' and 'augmented data/no'")
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w") as archive:
        for path in pictures:
            file = io.BytesIO()
            Image.open(path).convert("L").resize((256, 256)).save(file, "JPEG", quality=85)
            archive.writestr(f"{path.parent.name}/{path.name}", file.getvalue())
    print(f"{len(pictures):,} pictures in {target}")


if __name__ == "__main__":
    main()
