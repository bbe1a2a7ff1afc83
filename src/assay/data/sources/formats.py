"""What a file is by the end of its name: a picture that Pillow reads, or what else."""

EXTENSIONS = (
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".webp", ".avif", ".tif", ".tiff",
    ".jp2", ".j2k", ".j2c", ".jpc", ".jpx", ".jpf", ".ppm", ".pgm", ".pbm", ".pnm",
)  # fmt: skip
_OTHERS = {
    "HEIF": (".heic", ".heif", ".hif"),
    "JPEG XL": (".jxl",),
    "DICOM": (".dcm", ".dicom"),
    "NIfTI": (".nii", ".nii.gz"),
    "a camera's raw data": (".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf"),
    "OpenEXR": (".exr",),
    "a Photoshop document": (".psd",),
    "a drawing": (".svg", ".eps"),
    "a document": (".pdf",),
    "an array": (".npy", ".npz", ".mat", ".h5", ".hdf5"),
    "a film": (".mp4", ".avi", ".mov", ".mkv", ".webm"),
}


def is_picture(name: str) -> bool:
    """Whether a file ends like a picture that can be read."""
    return name.lower().endswith(EXTENSIONS)


def what_it_is(name: str) -> str | None:
    """What a file holds that shows something and cannot be read: ``HEIF``; None of any other."""
    return next((what for what, endings in _OTHERS.items() if name.lower().endswith(endings)), None)
