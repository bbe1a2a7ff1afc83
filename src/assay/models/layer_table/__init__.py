"""What a network is made of, layer by layer: shapes, parameters, multiply-accumulates, other operations, bytes."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
