"""Which backbone suits a set of images, before anything is trained.

Importing this room imports no torch: names are looked up when they are first used.
"""

from assay.faces import face

__getattr__, __dir__, __all__ = face(__name__, __file__)
