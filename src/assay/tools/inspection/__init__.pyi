from .copies import Copies as Copies
from .copies import find_copies as find_copies
from .inspecting import Inspection as Inspection
from .inspecting import inspect as inspect
from .page import write_inspection as write_inspection
