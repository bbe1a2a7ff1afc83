"""Images on their way to the network: source, decode-once cache, split, batch, augmentation.

Importing this room imports no torch: names are looked up when they are first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
