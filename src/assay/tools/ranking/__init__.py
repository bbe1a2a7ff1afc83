"""Which backbone suits a set of images, before anything is trained.

Importing this room imports no torch: names are looked up when they are first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
