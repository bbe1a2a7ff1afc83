"""A data set with planted copies, leaks and a wrong label."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 32


def picture(seed: int, prototype: int, own: float = 0.6) -> np.ndarray:
    """A smooth picture (h, w, 3), partly that of its class."""
    parts = []
    for stream in ((0, prototype), (1, seed)):
        rng = np.random.default_rng(stream)
        light, tint = rng.uniform(30, 225, (8, 8, 1)), rng.uniform(-30, 30, (8, 8, 3))
        small = (light + tint).astype(np.uint8)
        parts.append(np.asarray(Image.fromarray(small).resize((SIDE, SIDE), Image.Resampling.BICUBIC), dtype=float))
    return np.clip((1 - own) * parts[0] + own * parts[1], 0, 255).astype(np.uint8)


def jpeg(image: np.ndarray, quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def darker(image: np.ndarray) -> np.ndarray:
    return (image * 0.7 + 5).astype(np.uint8)


def noisy(image: np.ndarray, seed: int = 9) -> np.ndarray:
    return np.clip(image + np.random.default_rng(seed).normal(0, 6, image.shape), 0, 255).astype(np.uint8)


def pictures(per_class: int = 60, first: int = 0) -> dict[str, list[np.ndarray]]:
    """Unrelated pictures of two classes."""
    return {c: [picture(first + 1000 * k + i, k) for i in range(per_class)] for k, c in enumerate("ab")}


def save(path: Path, image: np.ndarray | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(image, bytes):
        path.write_bytes(image)
    else:
        Image.fromarray(image).save(path)


def plant(root: Path) -> Path:
    """``planted/train`` and ``planted/test``, the second with five leaks, one of them of another class."""
    folder, train, test = root / "planted", pictures(), pictures(20, first=500)
    train["b"][5], train["b"][6] = noisy(train["b"][4]), noisy(train["b"][4], 8)  # a family of three
    train["b"][10] = picture(77, 0, own=0.3)  # an "a" that is called "b"
    test["a"][7] = train["a"][7][:, ::-1]
    test["a"][0] = train["a"][0]
    test["b"][2] = darker(train["b"][2])
    test["b"][3] = noisy(train["a"][3])
    for split, classes in (("train", train), ("test", test)):
        for name, images in classes.items():
            for i, image in enumerate(images):
                save(folder / split / name / f"{i:03d}.png", image)
    (folder / "test" / "a" / "001.png").unlink()
    save(folder / "test" / "a" / "001.jpg", jpeg(train["a"][1], 60))
    return folder


def plant_augmented(root: Path, originals: int = 40, copies: int = 4) -> Path:
    """``augmented/a`` and ``augmented/b``: copies of each original, moved by so much that the names tell best."""
    for k, name in enumerate("ab"):
        for original in range(originals):
            image = picture(5000 + 1000 * k + original, k, own=0.9)
            for copy in range(copies):
                moved = noisy(np.roll(image, 2 * copy, axis=copy % 2), copy)
                save(root / "augmented" / name / f"aug_{name}{original} x_{copy}_{17 * copy + 3}.png", moved)
    return root / "augmented"
