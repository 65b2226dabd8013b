"""Pictures behind a message in Slack: uploaded into its thread, once it is there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

import httpx

from sinks.receivers.contract import Delivered, Outcome, Picture
from sinks.receivers.post import Post, Posted
from sinks.receivers.slack_api import ask_in_loop, escaped
from sinks.time_limit import within

__all__ = ["Files"]

MOST_BYTES = 1_000_000
"""Of one picture; those that we draw have some thousands."""

LONGEST_ALT, LONGEST_COMMENT = 1000, 3000
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
IMAGE = {"Content-Type": "image/png"}


class Files:
    """Uploads pictures as Slack's documentation of files.getUploadURLExternal describes it.

    Parameters
    ----------
    parameters : Posted
        Its time-out is that of all pictures of a message together.
    url : str
        Of the method that writes messages: the others are beside it.
    token : str
    """

    def __init__(self, parameters: Posted, url: str, token: str) -> None:
        self._parameters, self._token = parameters, token
        self._address, self._complete = (
            parameters.post_to(
                f"{httpx.URL(url).join(method)}", headers={"Authorization": f"Bearer {token}"}, secrets=[token]
            )
            for method in ("files.getUploadURLExternal", "files.completeUploadExternal")
        )

    def show(self, pictures: Sequence[Picture], where: Mapping[str, str]) -> str:
        """Upload pictures, once; return why not all of them are shown, which is empty if they are.

        Parameters
        ----------
        pictures : sequence of Picture
        where : mapping of str to str
            What Slack answered to the message: ``channel`` and ``ts``.
        """
        if not (where.get("channel") and where.get("ts")):
            return "the answer does not say where the message stands"
        try:
            return within(self._parameters.timeout / 1000, self._shown(pictures, where))
        except TimeoutError:
            return f"they took longer than {self._parameters.timeout} ms"
        except Exception as error:  # noqa: BLE001 -- the message has been delivered, whatever its pictures meet
            return type(error).__name__

    async def _shown(self, pictures: Sequence[Picture], where: Mapping[str, str]) -> str:
        files: list[tuple[str, str]] = []
        reason = ""
        for number, picture in enumerate(pictures, 1):
            try:
                files.append((await self._put(picture, f"leeway-{number}.png"), picture.caption))
            except _FailedError as error:
                reason = f"{error}"
                break
        captions = [f"{number}. {caption}" for number, (_, caption) in enumerate(files, 1)]
        if files:
            body = {
                "files": [{"id": file, "title": f"{number}"} for number, (file, _) in enumerate(files, 1)],
                "channel_id": where["channel"],
                "thread_ts": where["ts"],
                "initial_comment": escaped("\n".join(captions), LONGEST_COMMENT),
            }
            try:
                await _ask(self._complete, json.dumps(body).encode())
            except _FailedError as error:
                return f"{error}"
        return f"{len(pictures) - len(files)} of {len(pictures)}: {reason}" if reason else ""

    async def _put(self, picture: Picture, name: str) -> str:
        """Upload a picture, which nobody sees before it is completed; return the file's id."""
        if len(picture.png) > MOST_BYTES:
            raise _FailedError(f"a picture has {len(picture.png)} bytes, more than {MOST_BYTES}")
        fields = {"filename": name, "length": len(picture.png), "alt_txt": escaped(picture.caption, LONGEST_ALT)}
        answer = await _ask(self._address, urlencode(fields).encode(), FORM)
        # It names an address: whatever that is gets the picture and not the token, under the rules of all addresses.
        if not answer.get("upload_url", "").startswith("https://") or not answer.get("file_id"):
            raise _FailedError("slack.com: the answer names no address with https:// to upload to")
        post = self._parameters.post_to(answer["upload_url"], secrets=[self._token])
        _check(await post.send_in_loop(picture.png, headers=IMAGE))
        return answer["file_id"]


class _FailedError(Exception):
    """Why a step failed."""


async def _ask(post: Post, body: bytes, headers: Mapping[str, str] | None = None) -> dict[str, str]:
    outcome, answer = await ask_in_loop(post, body, headers)
    _check(outcome)
    return answer


def _check(outcome: Outcome) -> None:
    if not isinstance(outcome, Delivered):
        raise _FailedError(outcome.reason)
