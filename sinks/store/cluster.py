"""The tables of a cluster, made from the same migrations as those of one server.

Each table becomes two: ``scores_local``, replicated within its shard, and ``scores``, which distributes over the shards
and has the name that every statement uses. Rows go to the shard that their series chooses, or their natural key where
it has none, so that all rows of one key lie on one shard: FINAL and deduplication, which know one shard only, stay
whole. Where a statement must name what lies behind the distributed table (ALTER, DELETE, OPTIMIZE), see
:meth:`Cluster.altered`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import takewhile

from sinks.store.contract import StoreError
from sinks.store.marks import MARKS
from sinks.store.schema import migrations

__all__ = ["Cluster"]

# By name, not by {uuid}: a replica that is added later and runs the same statement joins its shard.
_PLACE = "'/clickhouse/tables/{shard}/{database}/{table}', '{replica}'"
_MONTH_S = 30 * 86_400

_TABLE = re.compile(
    r"CREATE TABLE IF NOT EXISTS (?P<name>\w+)\s*\((?P<columns>.*)\)\s*"
    r"ENGINE = (?P<engine>\w*MergeTree)(?:\((?P<arguments>[^)]*)\))?\s*(?P<rest>.*)",
    re.DOTALL,
)
_KEY = re.compile(r"^ORDER BY \(?([^)\n]*)\)?$", re.MULTILINE)
# A span of time before the series: rows of one series would change shards with it.
_FUNCTION = re.compile(r"\w+\([^()]*\), ")
_RENEWED = re.compile(r"EXCHANGE TABLES (?P<old>\w+) AND (?P<new>\w+)")
_OF_TABLE = re.compile(r"(?:CREATE TABLE IF NOT EXISTS|DROP TABLE IF EXISTS|INSERT INTO|EXCHANGE TABLES) (?P<name>\w+)")
_FILLED_VIEW = re.compile(
    r"CREATE MATERIALIZED VIEW IF NOT EXISTS (?P<name>\w+) TO (?P<target>\w+) AS\s(?P<query>.*)", re.DOTALL
)
_VIEW = re.compile(r"(CREATE (?:OR REPLACE )?VIEW (?:IF NOT EXISTS )?\w+)(\s.*)", re.DOTALL)
_ALTER = re.compile(r"ALTER TABLE (?P<name>\w+)\s(?P<actions>.*)", re.DOTALL)
_OF_COLUMNS = re.compile(r"\b(?:ADD|DROP|MODIFY|RENAME|COMMENT) COLUMN\b", re.IGNORECASE)
_ORDER = re.compile(r",\s*MODIFY ORDER BY \([^)]*\)")
_SOURCE = re.compile(r"\b(FROM|JOIN) (\w+)\b")
_COMMENT = re.compile(r"(?:\s*--[^\n]*\n)*")


class Cluster:
    """Names and statements for the tables of one cluster.

    Parameters
    ----------
    name : str
        As the server's configuration calls it (``remote_servers``).
    database : str

    Examples
    --------
    >>> Cluster("all", "leeway").altered("scores")
    '`scores_local` ON CLUSTER `all`'
    """

    def __init__(self, name: str, database: str) -> None:
        self.name = name
        self._database = database
        self.clause = f" ON CLUSTER `{name}`"

    def altered(self, table: str) -> str:
        """Return what ALTER TABLE, OPTIMIZE TABLE and DELETE FROM name in place of ``table``."""
        return f"`{table}_local`{self.clause}"

    def everywhere(self, table: str) -> str:
        """Return what to read in place of a system table, so that it speaks of all replicas."""
        return f"clusterAllReplicas(`{self.name}`, {table})"

    def statements(self, statements: Iterable[str]) -> tuple[str, ...]:
        """Return the statements of a migration as this cluster needs them.

        Raises
        ------
        StoreError
            If a statement is of a kind that has no form for clusters.
        """
        return tuple(made for statement in statements for made in self._made(statement))

    def _made(self, statement: str) -> Sequence[str]:
        comment = _COMMENT.match(statement)
        assert comment is not None
        text = _in_final_form(statement[comment.end() :])
        if not text:
            return []
        for pattern, make in self._kinds():
            match = pattern.match(text)
            if match is not None:
                first, *others = make(match)
                return [comment[0] + first, *others]
        raise StoreError(f"this statement has no form for clusters: {text[:80]}")

    def _kinds(self) -> Sequence[tuple[re.Pattern[str], Callable[[re.Match[str]], Sequence[str]]]]:
        return [
            (_TABLE, self._tables),
            (_FILLED_VIEW, self._filled_view),
            (_VIEW, lambda match: [f"{match[1]}{self.clause}{match[2]}"]),
            (_ALTER, self._alterations),
            (re.compile(r"INSERT INTO\s"), lambda match: [match.string]),
        ]

    def _tables(self, match: re.Match[str]) -> Sequence[str]:
        name, arguments = match["name"], match["arguments"]
        version = f", {arguments}" if arguments else ""
        rest = match["rest"].replace(
            "non_replicated_deduplication_window = 10000",
            # Replicas forget tokens by age too: after a month, so that the number decides.
            f"replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = {_MONTH_S}",
        )
        local = (
            f"CREATE TABLE IF NOT EXISTS `{name}_local`{self.clause}\n({match['columns']})\n"
            f"ENGINE = Replicated{match['engine']}({_PLACE}{version})\n{rest}"
        )
        distributed = (
            f"CREATE TABLE IF NOT EXISTS `{name}`{self.clause} AS `{name}_local`\n"
            f"ENGINE = Distributed(`{self.name}`, `{self._database}`, `{name}_local`, {_sharding_key(match)})"
        )
        return [local, distributed]

    def _filled_view(self, match: re.Match[str]) -> Sequence[str]:
        """Rows stay on their shard where both tables choose it alike; else they are sent to the one of their own.

        Marks always stay with what they mark: one is written with its rows, and seen no later, or both are not.
        """
        keys, target = _sharding_keys(), match["target"]
        sources = [name for _, name in _SOURCE.findall(match["query"]) if name in keys]
        local = target == MARKS or keys.get(target) == keys[sources[0]]
        query = _SOURCE.sub(lambda part: f"{part[1]} {_local(part[2]) if part[2] in keys else part[2]}", match["query"])
        name = f"CREATE MATERIALIZED VIEW IF NOT EXISTS `{match['name']}`{self.clause}"
        return [f"{name} TO `{target}{'_local' if local else ''}` AS\n{query}"]

    def _alterations(self, match: re.Match[str]) -> Sequence[str]:
        made = [f"ALTER TABLE {self.altered(match['name'])} {match['actions']}"]
        if _OF_COLUMNS.search(match["actions"]):
            # Where rows lie says only what is behind it.
            of_columns = _ORDER.sub("", match["actions"])
            made.append(f"ALTER TABLE `{match['name']}`{self.clause} {of_columns}")
        return made


def _in_final_form(text: str) -> str:
    """Return a statement that leaves out the past of tables that were made again and then took the old one's name.

    No cluster has tables from before: they are made in their newest form at once, and nothing is copied or exchanged,
    which for replicated tables would leave names and paths at odds. Empty: there is nothing to do.
    """
    renewed = _renewed()
    match = _OF_TABLE.match(text)
    if match is None or match["name"] not in {*renewed, *renewed.values()}:
        return text
    name = match["name"]
    if text.startswith("CREATE"):
        return text.replace(name, renewed[name], 1) if name in renewed else ""
    return "" if name in renewed or text.startswith("EXCHANGE") else text


@cache
def _renewed() -> dict[str, str]:
    """The names under which tables were made again, with those that they took."""
    exchanges = (_RENEWED.search(statement) for step in migrations() for statement in step.statements)
    return {match["new"]: match["old"] for match in exchanges if match is not None}


def _local(name: str) -> str:
    return f"`{name}_local`"


def _sharding_key(table: re.Match[str]) -> str:
    """The series that a natural key begins with, or all of the key where it begins with less than three names."""
    key = _KEY.search(_FUNCTION.sub("", table["rest"]))
    assert key is not None
    names = [name.strip().strip("`") for name in key[1].split(",")]
    series = list(takewhile(lambda name: _is_text(name, table["columns"]), names))
    return f"cityHash64({', '.join(f'`{name}`' for name in (series if len(series) >= 3 else names))})"


def _is_text(column: str, columns: str) -> bool:
    return re.search(rf"^\s*`?{column}`? (?:LowCardinality\()?String\b", columns, re.MULTILINE) is not None


@cache
def _sharding_keys() -> dict[str, str]:
    statements = (_in_final_form(_COMMENT.sub("", s, 1)) for step in migrations() for s in step.statements)
    tables = map(_TABLE.search, statements)
    return {match["name"]: _sharding_key(match) for match in tables if match is not None}
