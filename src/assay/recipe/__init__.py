"""The question, typed: a recipe determines one training run, a study varies it. Every default is stated here, once.

Names are looked up when they are first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
