"""What a network is made of, layer by layer: shapes, parameters, multiply-accumulates, other operations, bytes."""

from assay.faces import face

__getattr__, __dir__, __all__ = face(__name__, __file__)
