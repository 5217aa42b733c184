"""Load datasets as numpy arrays: read, split, corrupt on request, check, scale and hash them."""

from lossrun.data.facts import known_facts
from lossrun.data.load import load
from lossrun.data.samples.dataset import Data, Dataset, Part, Scaling
from lossrun.data.sources.images import fetch
from lossrun.data.sources.places import default_data_dir

__all__ = ["Data", "Dataset", "Part", "Scaling", "default_data_dir", "fetch", "known_facts", "load"]
