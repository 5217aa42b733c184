"""What a config may name, declared once."""

from lossrun.catalog.data_facts import DataFacts
from lossrun.catalog.declaration import Task
from lossrun.catalog.lookup import COMPONENTS, find, get, nearest_name, why_not

__all__ = ["COMPONENTS", "DataFacts", "Task", "find", "get", "nearest_name", "why_not"]
