from .batches import ImageData as ImageData
from .cache import open_images as open_images
from .images import ImageSet as ImageSet
from .images import data_root as data_root
from .loading import load as load
from .loading import load_chosen as load_chosen
from .splits import split as split
