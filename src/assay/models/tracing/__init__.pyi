from .fields import Field as Field
from .fields import receptive_fields as receptive_fields
from .graph import Edge as Edge
from .graph import Graph as Graph
from .graph import Node as Node
from .graph import trace as trace
from .reach import Untraceable as Untraceable
