"""Many pictures: which goes where, what is done already, and how reading, translating and writing overlap."""

from facesketch.inference.folders.pipeline import Limits, run, write
from facesketch.inference.folders.plan import Job, named, plan, sweep

__all__ = ["Job", "Limits", "named", "plan", "run", "sweep", "write"]
