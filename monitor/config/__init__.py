"""The configuration tree, loading, located errors and the JSON schema."""

from monitor.config.document import ConfigError, Mistake
from monitor.config.load import Configuration, load, load_alerting, load_service
from monitor.config.model import Model
from monitor.config.posted import read_model, with_posted
from monitor.config.service import Service

__all__ = [
    "ConfigError",
    "Configuration",
    "Mistake",
    "Model",
    "Service",
    "load",
    "load_alerting",
    "load_service",
    "read_model",
    "with_posted",
]
