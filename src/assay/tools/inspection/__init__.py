"""What can be known of a data set before anything is trained on it: copies, leaks, doubtful labels, counts and values.

The command is ``assay check``; the room has another name, for ``check`` is what the recipe's own checks are called.
"""

from assay.faces import face

__getattr__, __dir__, __all__ = face(__name__, __file__)
