"""Pure numerics: arrays in, arrays out, state in arrays; no clock, no file, no log, no network.

Start with :mod:`detectors.contract`. Then :class:`detectors.bank.Bank` runs one detector over many series, and
:class:`detectors.online.Online` is a bank of one with the interface of a river drift detector.
"""
