"""How far each unit of a network reaches into its input, and along which paths, without computing an image."""

from assay.faces import face

__getattr__, __dir__, __all__ = face(__name__, __file__)
