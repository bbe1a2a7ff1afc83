"""The report: one page that answers the study's question, with its tables and figures beside it as files.

Names are looked up when they are first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
