"""assay: one file asks a question about image networks, one command answers it.

``load_study(path).run()`` trains what is missing and returns the ``Results``; every room of the package
(``assay.models``, ``assay.data``, ``assay.results.statistics``, …) also works without a study.
Names are imported when they are first used, so that ``import assay`` takes milliseconds.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = "0.1.0"
