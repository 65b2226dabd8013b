"""Versions of what models are watched with: who owns a model's configuration, what was in force, and what is."""
