"""Who may do what."""

from __future__ import annotations

from sinks.store.tables.table import table

__all__ = ["DECLARED"]

DECLARED = (
    table(
        "tokens",
        # Times are 0 where there is none; without namespaces a token is for all.
        "id:str:own updated_ms:int name:str:free role:name digest:str:own prefix:str:own created_by:str:free "
        "created_ms:int expires_ms:int revoked_ms:int revoked_by:str:free namespaces:strs:own",
        "id",
        newest_by="updated_ms",
        row="a token, by the SHA-256 of its secret: whoever has the secret has the role; the row changed last stays",
    ),
    table(
        "token_uses",
        "id:str:own used_ms:int",
        "id",
        newest_by="used_ms",
        row="when a token was used last, to the minute",
    ),
    table(
        "audit",
        "at_ms:int id:str:own who:str:free role:name address:str:free operation:str:own subject:str:free status:int "
        "reason:str:free unlisted:int",
        "at_ms id",
        row="a change, a look at data of persons, or an attempt that was refused",
        time="at_ms",
        keep="audit",
    ),
)
