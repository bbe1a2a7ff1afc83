from .catalogue import MEASURES as MEASURES
from .measuring import Trained as Trained
from .measuring import Value as Value
from .measuring import measure as measure
