"""What finished runs say: one table, intervals, comparisons in pairs, the verdict.

Names are looked up when they are first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
