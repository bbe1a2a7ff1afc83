"""The report: one page that answers the study's question, with its tables and figures beside it as files.

Names are looked up when they are first used.
"""

from assay.faces import face

__getattr__, __dir__, __all__ = face(__name__, __file__)
