"""A model's file drafted from a sample of its events: what each field is, how windows are cut, and why."""

from monitor.draft.fields import Guess
from monitor.draft.model import Draft, Origin, draft
from monitor.draft.sample import Sample, of_file, of_records

__all__ = ["Draft", "Guess", "Origin", "Sample", "draft", "of_file", "of_records"]
