from .compare import Comparison as Comparison
from .compare import Comparisons as Comparisons
from .compare import compare as compare
from .results import Results as Results
