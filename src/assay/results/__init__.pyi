from .compare import compare as compare
from .comparison import Comparison as Comparison
from .comparison import Comparisons as Comparisons
from .results import Results as Results
