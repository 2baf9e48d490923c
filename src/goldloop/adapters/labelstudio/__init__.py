"""Label Studio: tasks and prelabels in, annotations out."""

from goldloop.adapters.labelstudio.http import Retries
from goldloop.adapters.labelstudio.queue import LabelStudio, connect

__all__ = ["LabelStudio", "Retries", "connect"]
