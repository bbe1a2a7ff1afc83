"""How well the activations of a layer keep the classes apart: indices, exact nearest neighbours, layers.

Importing this room imports no torch: names are looked up when they are first used.
"""

from assay.faces import face

__getattr__, __dir__, __all__ = face(__name__, __file__)
