"""Erasing a data subject: every trace in the store is found, removed, and looked for once more."""
