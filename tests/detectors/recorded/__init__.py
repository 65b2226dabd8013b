"""Where slow peers fire, written down once; each file has the command that does it."""
