"""What finished runs say: one table, intervals, comparisons in pairs, the verdict.

Names are looked up when they are first used.
"""

from assay.faces import face

__getattr__, __dir__, __all__ = face(__name__, __file__)
