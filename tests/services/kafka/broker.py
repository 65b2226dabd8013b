"""One broker as a process of ours."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from kafka.errors import KafkaError

from tests.services.cache import UnavailableError, java, once, run
from tests.services.kafka.cluster import Cluster
from tests.services.kafka.jars import KafkaUnavailableError, fetch
from tests.services.processes import free_port, is_free, watch_over

__all__ = ["Broker"]

CLUSTER_ID = "bGVld2F5LXRlc3RzLWthZg"  # any 16 bytes in base64; a fixed one keeps two runs alike
START_S = 240.0
STOP_S, ARCHIVE_S = 30.0, 240.0
CLASSES = "broker.jsa"
QUICK = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""A program that soon ends, or has little to do, takes half the processor time when little of it is compiled."""

SHARED = ("-Xshare:auto", "-Xlog:cds=off", "-Xlog:cds+dynamic=off")
"""Another Java than the one that archived the classes reads them from the jars, and need not say so."""

SETTINGS = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "auto.create.topics.enable": "false",
    # A killed broker may register again only when its old session has run out: 3 s here, 9 s by default.
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "3000",
    "group.initial.rebalance.delay.ms": "0",
    # Twice a second a record that says nothing, written, forwarded to every broker and read back: most of what a
    # broker at rest computes.
    "metadata.max.idle.interval.ms": "0",
    # Messages of tests have times of long ago, which would go whenever the broker looks for what is old.
    "log.retention.ms": "-1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.num.partitions": "1",
}
REPLICATED = (
    ("offsets.topic.replication.factor", "offsets.topic.min.isr"),
    ("transaction.state.log.replication.factor", "transaction.state.log.min.isr"),
    ("share.coordinator.state.topic.replication.factor", "share.coordinator.state.topic.min.isr"),
    ("default.replication.factor", "min.insync.replicas"),
)


class Broker(Cluster):
    """One Kafka broker as a process of ours, on loopback ports that stay the same over restarts.

    Parameters
    ----------
    data
        Folder for the log segments and ``broker.log``; a temporary one, removed at the end, without it.
    port
        Port for clients; 0 picks a free one.
    for_load
        Compile for throughput. Without it the broker starts with half the CPU time, which suits tests.
    heap
        Of the Java process, as ``-Xmx`` takes it.

    Raises
    ------
    UnavailableError
        On entering, when the jars cannot be fetched; a KafkaUnavailableError when the broker does not answer.
    """

    _stop_s = STOP_S

    def __init__(self, data: Path | None = None, port: int = 0, for_load: bool = False, heap: str = "1g") -> None:
        self.port = port or free_port()
        self.node = 1
        self.controllers = {1: free_port()}
        super().__init__(f"127.0.0.1:{self.port}")
        self._java_options = [f"-Xmx{heap}", *([] if for_load else QUICK)]
        self._owns_data = data is None
        self.data = Path(tempfile.mkdtemp(prefix="leeway-kafka-")) if data is None else data.resolve()
        self.log = self.data / "broker.log"
        self._properties = self.data / "server.properties"
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except UnavailableError:
            # What the broker wrote about its failure stays; a folder without a word of it goes.
            if self._owns_data and not self.log.exists():
                shutil.rmtree(self.data)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if self._owns_data:
            shutil.rmtree(self.data)

    @property
    def running(self) -> bool:
        """Whether the process is there; it may not answer yet."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process's id, for tests that send it signals."""
        if self._process is None:
            raise KafkaUnavailableError("the broker is not running")
        return self._process.pid

    def start(self) -> None:
        """Start the process and return once an admin client gets an answer."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Start the process."""
        jars = fetch()
        if not is_free(self.port):
            raise KafkaUnavailableError(f"port {self.port} of 127.0.0.1 is in use")
        self._prepare(jars)
        # The same file over restarts, so that the log tells the whole story.
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                java(
                    jars,
                    *self._java_options,
                    *self._archive(jars),
                    "-Dlog4j2.level=WARN",
                    "kafka.Kafka",
                    str(self._properties),
                ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us: the broker outlives the tests that clean up on it
            )
        self._watchdog = watch_over(self._process.pid)

    def wait(self) -> None:
        """Return once an admin client gets an answer of the process."""
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ask the process to end, and end it if it has not after half a minute."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the process at once, as a crash would."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop and start again, with the same address and data."""
        self.stop()
        self.start()

    def log_tail(self, lines: int = 40) -> str:
        """Return the last lines of the broker's log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def settings(self) -> dict[str, str]:
        """Return the broker's properties."""
        own = f"CONTROLLER://127.0.0.1:{self.controllers[self.node]}"
        replicas = len(self.controllers)
        return {
            **SETTINGS,
            "node.id": str(self.node),
            "controller.quorum.voters": ",".join(f"{n}@127.0.0.1:{port}" for n, port in self.controllers.items()),
            "listeners": f"PLAINTEXT://{self._address},{own}",
            "advertised.listeners": f"PLAINTEXT://{self._address}",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": str(self.data / "segments"),
            **{factor: str(replicas) for factor, _ in REPLICATED},
            **{in_sync: str(max(1, replicas - 1)) for _, in_sync in REPLICATED},
        }

    def _archive(self, jars: Path) -> list[str]:
        """Return the options with which classes come from an archive: with it a start takes half the CPU time."""
        archive = once(jars.with_name(f"{jars.name}-classes"), "kafka-classes", partial(_archive_classes, jars))
        return [*SHARED, f"-XX:SharedArchiveFile={archive / CLASSES}"]

    def format_arguments(self) -> list[str]:
        """Return what the tool that makes the log folder is told beside the configuration."""
        return []

    @property
    def _address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def _prepare(self, jars: Path) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        self._properties.write_text("".join(f"{name}={value}\n" for name, value in self.settings().items()))
        if not (self.data / "segments" / "meta.properties").exists():
            tool = ["kafka.tools.StorageTool", "format", "--cluster-id", CLUSTER_ID, *self.format_arguments()]
            run(java(jars, *QUICK, *tool, "--config", str(self._properties)))

    def _wait_until_it_answers(self) -> None:
        deadline_s = time.monotonic() + START_S
        while not self._answers():
            if not self.running:
                raise KafkaUnavailableError(f"the broker stopped; {self.log} ends with\n{self.log_tail()}")
            if time.monotonic() > deadline_s:
                raise KafkaUnavailableError(f"no answer in {START_S:.0f} s; {self.log} ends with\n{self.log_tail()}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        # A bare connection first: the client logs a warning and backs off for each refused one.
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            with self.admin() as client:
                return bool(client.describe_cluster()["brokers"])
        except (OSError, KafkaError):
            return False

    def _end(self, with_signal: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(with_signal)
            try:
                self._process.wait(self._stop_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._watchdog is not None:
            self._watchdog.kill()
            self._watchdog.communicate()
            self._watchdog = None


class _Archiving(Broker):
    """A broker that archives the classes it has loaded when it stops."""

    _stop_s = ARCHIVE_S

    def __init__(self, archive: Path) -> None:
        super().__init__(heap="320m")
        self._archive_file = archive

    def _archive(self, jars: Path) -> list[str]:
        return [f"-XX:ArchiveClassesAtExit={self._archive_file}"]


def _archive_classes(jars: Path, folder: Path) -> None:
    folder.mkdir()
    with _Archiving(folder / CLASSES) as broker:
        broker.create_topic("any")
