"""Label Studio: tasks and prelabels in, annotations out."""

from goldloop.adapters.labelstudio.queue import LabelStudio, connect
from goldloop.adapters.retries import Retries

__all__ = ["LabelStudio", "Retries", "connect"]
