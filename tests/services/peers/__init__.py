"""Other projects' detectors, which ours are compared with: MOA and frouros.

They are fetched into the cache folder once and run as programs of their own, by tests and benchmarks only: nothing of
Leeway imports them, and they are in no package or image. (river, which Leeway offers to its users, is a dependency.)

Tests ask for the fixtures ``moa`` and ``frouros``::

    def test_it_fires_where_moa_fires(moa: Moa) -> None:
        assert moa.drifts("EWMAChartDM", {"lambda": 0.2}, streams) == ours

From a shell, in the repository: ``python -m tests.services.peers`` fetches both.
"""

from __future__ import annotations

from tests.services.peers.frouros import Frouros
from tests.services.peers.moa import Moa
from tests.services.peers.peer import Fired, Peer, PeerError

__all__ = ["Fired", "Frouros", "Moa", "Peer", "PeerError"]
