"""How far a network's answers may be believed, found out without training it again.

Measures on plain arrays; temperature scaling; dropout injected at test time; ensembles. Importing this room imports no
torch: names are looked up when they are first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
