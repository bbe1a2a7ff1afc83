"""Training a finished run's network on its mistakes: what that gains on untouched images, and what it costs.

Importing this room imports no torch: names are looked up when they are first used.
"""

from assay.faces import face

__getattr__, __dir__, __all__ = face(__name__, __file__)

EPOCHS = 5
"""Passes over the mistakes, unless asked otherwise."""
