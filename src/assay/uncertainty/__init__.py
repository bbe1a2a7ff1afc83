"""How far a network's answers may be believed, found out without training it again.

Measures on plain arrays; temperature scaling; dropout injected at test time; ensembles. Importing this room imports no
torch: names are looked up when they are first used.
"""

from assay.faces import face

__getattr__, __dir__, __all__ = face(__name__, __file__)
