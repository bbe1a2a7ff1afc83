"""The question, typed: a recipe determines one training run, a study varies it. Every default is stated here, once.

Names are looked up when they are first used.
"""

from assay.faces import face

__getattr__, __dir__, __all__ = face(__name__, __file__)
