"""Links to pictures, for channels that show them from addresses alone: signed, and good for some days."""

from __future__ import annotations

from monitor.access.sessions import Seals
from monitor.pictures.pictures import PictureOf, Pictures
from sinks.receivers.contract import LinkedPicture, Notification

__all__ = ["PATH", "Links", "PictureSeals"]

PATH = "/pictures"
PURPOSE = ("pictures",)
KIND = "picture"


class PictureSeals:
    """Makes the last part of a picture's address, and reads it again.

    Parameters
    ----------
    key : str
        Only who has it can make one.

    Examples
    --------
    >>> seals = PictureSeals("k" * 32)
    >>> sealed = seals.seal(PictureOf("fraud", "a1", 2, 0), until_s=100)
    >>> seals.open(sealed, now_s=99)
    PictureOf(model='fraud', alert_id='a1', sequence=2, number=0)
    >>> seals.open(sealed, now_s=100), PictureSeals("other" * 8).open(sealed, now_s=99)
    (None, None)
    """

    def __init__(self, key: str) -> None:
        self._seals = Seals(key, PURPOSE)

    def seal(self, picture: PictureOf, until_s: int) -> str:
        """Return what stands for a picture until a time."""
        return self._seals.seal(KIND, picture._asdict(), until_s)

    def open(self, sealed: str, now_s: int) -> PictureOf | None:
        """Return the picture that is meant; None if nobody with the key has sealed that, or if its time is over."""
        claims = self._seals.open(KIND, sealed, now_s)
        return None if claims is None else PictureOf(**{name: claims[name] for name in PictureOf._fields})


class Links:
    """Draws what a notification is about, and says where it can be seen.

    Parameters
    ----------
    pictures : Pictures
    seals : PictureSeals
    external_url : str
        How people reach the service.
    lifetime_ms : int
        How long after the notification.
    """

    def __init__(self, pictures: Pictures, seals: PictureSeals, external_url: str, lifetime_ms: int) -> None:
        self._pictures, self._seals = pictures, seals
        self._address, self._lifetime_ms = external_url.rstrip("/") + PATH, lifetime_ms

    def __call__(self, notification: Notification) -> list[LinkedPicture]:
        """Return the pictures of a notification; what the store does not give is left out."""
        until_s = (notification.at_ms + self._lifetime_ms) // 1000
        return [
            LinkedPicture(picture.caption, f"{self._address}/{self._seals.seal(shown, until_s)}")
            for shown, picture in self._pictures.named(notification)
        ]
