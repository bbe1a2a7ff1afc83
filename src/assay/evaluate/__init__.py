"""Measures: what is found out about a trained network. Torch is imported at the first use."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
