"""rsyslog: imfile follows the file, RELP carries and acknowledges the lines, omfile writes them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from benchmarks.peers.base import Command, Peer, Tls, Way

PROGRAM = "/usr/sbin/rsyslogd"
RELP = ("imrelp.so", "omrelp.so")

RECEIVER = """\
global(workDirectory="{work}" maxMessageSize="64k" parser.escapeControlCharactersOnReceive="off")
main_queue(queue.workerThreads="1")
module(load="imrelp")
template(name="line" type="string" string="%msg:2:$%\\n")
ruleset(name="copy") {{ action(type="omfile" file="{copy}" template="line") }}
input(type="imrelp" address="{host}" port="{port}" ruleset="copy" maxDataSize="64k"{tls})
"""
SENDER = """\
global(workDirectory="{work}" maxMessageSize="64k")
main_queue(queue.workerThreads="1")
module(load="imfile")
module(load="omrelp")
template(name="line" type="string" string="<134>Jan  1 00:00:00 site job: %msg%")
ruleset(name="send") {{
  action(type="omrelp" target="{host}" port="{port}" template="line" windowSize="10000"{tls})
}}
input(type="imfile" file="{source}" tag="job" ruleset="send")
"""


class RsyslogPeer(Peer):
    """The window is raised to 10,000 lines: with the default of 128 it is slower.

    One worker at each end: with the default of two, lines change places. It knows lines, not bytes.
    """

    name = "rsyslog"

    def missing(self) -> str | None:
        if not Path(PROGRAM).exists():
            return "rsyslog is not installed (Debian: apt-get install rsyslog rsyslog-relp)"
        absent = [name for name in RELP if not list(Path("/usr/lib").glob(f"*/rsyslog/{name}"))]
        return f"its module {absent[0]} is not installed (Debian: apt-get install rsyslog-relp)" if absent else None

    def version(self) -> str:
        first = subprocess.run([PROGRAM, "-v"], capture_output=True, text=True, check=True).stdout.split()
        return f"rsyslog {first[1]}, RELP"

    def files(self, way: Way) -> dict[Path, str]:
        tls = _tls(way.network.tls) if way.network.tls else ""
        names = {"host": way.host, "port": way.port, "tls": tls, "copy": self.stored(way), "source": way.source}
        return {
            _config(way, end): text.format(work=_config(way, end).parent, **names)
            for end, text in (("receiver", RECEIVER), ("sender", SENDER))
        }

    def receiver(self, way: Way) -> list[Command]:
        return [_command(way, "receiver")]

    def sender(self, way: Way) -> list[Command]:
        return [_command(way, "sender")]

    def stored(self, way: Way) -> Path:
        return way.dest / way.source.name


def _command(way: Way, end: str) -> Command:
    config = _config(way, end)
    return Command([PROGRAM, "-n", "-f", str(config), "-i", str(config.with_name("pid"))])


def _config(way: Way, end: str) -> Path:
    return way.dest / f"rsyslog-{end}" / "rsyslog.conf"


def _tls(tls: Tls) -> str:
    files = f'tls.caCert="{tls.certificate}" tls.myCert="{tls.certificate}" tls.myPrivKey="{tls.key}"'
    return f'\n  tls="on" {files} tls.authMode="certvalid"'
