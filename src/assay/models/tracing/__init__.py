"""How far each unit of a network reaches into its input, and along which paths, without computing an image."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
