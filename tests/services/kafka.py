"""A real Apache Kafka broker on this machine, for the tests and for the demonstration.

No container engine is needed: Maven copies the published jars into a cache folder once, and a
broker is a Java process on loopback ports (KRaft, one node that is controller and broker).

From a shell, in the repository::

    python -m tests.services.kafka fetch
    python -m tests.services.kafka run --port 9092 --data /tmp/kafka

``run`` prints ``ready 127.0.0.1:9092`` once the broker answers, and stops it on SIGTERM, SIGINT or
when standard input, if that is a pipe, is closed.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from tests.services.processes import free_port, is_free, watch_over

ROOT = Path(__file__).resolve().parents[2]
POM = Path(__file__).with_name("kafka") / "pom.xml"
COPY_DEPENDENCIES = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
CLUSTER_ID = "bGVld2F5LXRlc3RzLWthZg"  # any 16 bytes in base64; a fixed one keeps two runs alike
START_S = 60.0
STOP_S = 30.0

# A killed broker may register again only when its old session has run out: 3 s here, 9 s by default.
SERVER_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={log_dir}
auto.create.topics.enable=false
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
group.initial.rebalance.delay.ms=0
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
"""


class KafkaUnavailableError(RuntimeError):
    """The broker could not be fetched or started; the message says why and ends with its log."""


def version() -> str:
    """Return the version of Kafka that the tests run against, as `pom.xml` states it."""
    found = re.search(r"<kafka\.version>(.+?)</kafka\.version>", POM.read_text())
    if found is None:
        raise KafkaUnavailableError(f"{POM} states no kafka.version")
    return found[1]


def default_cache() -> Path:
    """Return the folder for downloads: `$LEEWAY_CACHE`, else `.cache` in the repository."""
    return Path(os.environ.get("LEEWAY_CACHE") or ROOT / ".cache")


def fetch(cache: Path | None = None) -> Path:
    """Return the folder of Kafka's jars, fetching them with Maven if they are not there yet.

    Two processes may call this at once: one fetches, the other waits. A broken fetch leaves nothing.

    Raises
    ------
    KafkaUnavailableError
        Maven is missing or failed.
    """
    cache = default_cache() if cache is None else cache
    # A changed pom is another set of jars, so it gets a folder of its own.
    digest = hashlib.sha256(POM.read_bytes()).hexdigest()[:8]
    jars = cache / f"kafka-{version()}-{digest}"
    if not jars.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with _held(cache / "kafka.lock"):
            if not jars.is_dir():
                _copy_jars(jars)
    return jars


@contextlib.contextmanager
def _held(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _copy_jars(jars: Path) -> None:
    with tempfile.TemporaryDirectory(dir=jars.parent, prefix="kafka-incomplete-") as scratch:
        incomplete = Path(scratch) / "jars"
        maven = ["mvn", "--quiet", "--batch-mode", "--strict-checksums", "--file", str(POM)]
        _run([*maven, COPY_DEPENDENCIES, "-DincludeScope=runtime", f"-DoutputDirectory={incomplete}"])
        incomplete.rename(jars)


def _run(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise KafkaUnavailableError(f"{command[0]} is missing: run .ci/packages java mvn") from error
    if done.returncode:
        raise KafkaUnavailableError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


class Cluster:
    """A Kafka that answers at `bootstrap`, whoever runs it.

    Parameters
    ----------
    bootstrap
        Address as ``host:port``.
    """

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    @contextlib.contextmanager
    def admin(self) -> Iterator[KafkaAdminClient]:
        """Yield an admin client that is closed afterwards."""
        client = KafkaAdminClient(bootstrap_servers=self.bootstrap, bootstrap_timeout_ms=5_000)
        try:
            yield client
        finally:
            client.close()

    def create_topic(self, name: str, partitions: int = 1, configs: Mapping[str, str] | None = None) -> None:
        """Create a topic and return once every partition of it has a leader.

        Parameters
        ----------
        name, partitions
            What to create, with one replica.
        configs
            The topic's own settings, such as ``{"retention.ms": "1000"}``.
        """
        options = {"num_partitions": partitions, "replication_factor": 1, "configs": dict(configs or {})}
        with self.admin() as client:
            client.create_topics({name: options}, wait_for_metadata=True)


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

    Raises
    ------
    KafkaUnavailableError
        On entering, when the jars cannot be fetched or the broker does not answer.
    """

    def __init__(self, data: Path | None = None, port: int = 0, for_load: bool = False) -> None:
        self.port = port or free_port()
        self._controller_port = free_port()
        super().__init__(f"127.0.0.1:{self.port}")
        self._java_options = ["-Xmx1g"] if for_load else ["-Xmx1g", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
        self._owns_data = data is None
        self.data = Path(tempfile.mkdtemp(prefix="leeway-kafka-")) if data is None else data.resolve()
        self.log = self.data / "broker.log"
        self._properties = self.data / "server.properties"
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except KafkaUnavailableError:
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
        jars = fetch()
        if not is_free(self.port):
            raise KafkaUnavailableError(f"port {self.port} of 127.0.0.1 is in use")
        self._prepare(jars)
        # The same file over restarts, so that the log tells the whole story.
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                _java(jars, *self._java_options, "-Dlog4j2.level=WARN", "kafka.Kafka", str(self._properties)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us: the broker outlives the tests that clean up on it
            )
        self._watchdog = watch_over(self._process.pid)
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

    def _prepare(self, jars: Path) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        segments = self.data / "segments"
        properties = SERVER_PROPERTIES.format(port=self.port, controller_port=self._controller_port, log_dir=segments)
        self._properties.write_text(properties)
        if not (segments / "meta.properties").exists():
            tool = ["kafka.tools.StorageTool", "format", "--cluster-id", CLUSTER_ID, "--config"]
            _run(_java(jars, *tool, str(self._properties)))

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
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._watchdog is not None:
            self._watchdog.kill()
            self._watchdog.communicate()
            self._watchdog = None


def _java(jars: Path, *arguments: str) -> list[str]:
    return ["java", "-cp", f"{jars}/*", *arguments]


def serve(broker: Broker, out: TextIO) -> int:
    """Run a broker until someone asks for its end; return the exit status.

    Parameters
    ----------
    broker
        Not started yet.
    out
        Gets the line ``ready host:port``.
    """
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with broker:
        print(f"ready {broker.bootstrap}", file=out, flush=True)
        if stat.S_ISFIFO(os.fstat(sys.stdin.fileno()).st_mode):
            threading.Thread(target=_set_at_end_of_input, args=[ended], daemon=True).start()
        while not ended.wait(0.2):
            if not broker.running:
                print(f"the broker stopped:\n{broker.log_tail()}", file=sys.stderr)
                return 1
    return 0


def _set_at_end_of_input(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.services.kafka", description="Apache Kafka, locally")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("fetch", help="copy Kafka's jars into the cache, once")
    run = verbs.add_parser("run", help="run a broker until SIGTERM or the end of standard input")
    run.add_argument("--port", type=int, default=0, help="for clients; 0 picks a free one")
    run.add_argument("--data", type=Path, help="folder that is kept; without it a temporary one")
    options = parser.parse_args(arguments)
    try:
        if options.verb == "fetch":
            print(fetch())
            return 0
        return serve(Broker(options.data, options.port, for_load=True), sys.stdout)
    except KafkaUnavailableError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
