"""Measures: what is found out about a trained network. Torch is imported at the first use."""

from assay.faces import face

__getattr__, __dir__, __all__ = face(__name__, __file__)
