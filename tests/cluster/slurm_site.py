"""A Slurm of two nodes on this machine: takes a folder, gives a running site that touches nothing outside of it.

Loopback only, a munge key of its own, no cgroups, no accounting. The four GPUs are files that are twins of /dev/zero,
so that Slurm counts and gives them out; torch sees none. It needs root, and Debian's slurm-wlm and munge.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from engine.launch.process import see_process

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "sinfo", "scontrol")
NODES = {"n1": (0, 1), "n2": (2, 3)}
CONFIG = """\
ClusterName=xp
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={root}/munge/munge.socket,cred_expire=5
CryptoType=crypto/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
ReturnToService=2
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd.%n.pid
SlurmdSpoolDir={root}/spool.%n
StateSaveLocation={root}/state
SlurmctldLogFile={root}/slurmctld.log
SlurmdLogFile={root}/slurmd.%n.log
SwitchType=switch/none
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=5,sched_min_interval=0,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
KillWait=5
MinJobAge=10
FirstJobId=1
SlurmdTimeout=10
InactiveLimit=0
GresTypes=gpu
SlurmdParameters=config_overrides
{nodes}
PartitionName=low Nodes=n1,n2 Default=YES PriorityTier=1 PreemptMode=REQUEUE GraceTime=10 MaxTime=INFINITE State=UP
PartitionName=high Nodes=n1,n2 PriorityTier=10 PreemptMode=OFF MaxTime=INFINITE State=UP
"""
NODE = "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=8 RealMemory=8000 Gres=gpu:h200:2"
FIRST_ID = re.compile(r"FirstJobId=\d+")
LINES = 40  # of each log that a test which fails shows
GRES = "NodeName={name} Name=gpu Type=h200 File={root}/dev/nvidia[{first}-{last}]"


@dataclass
class SlurmSite:
    """A running site. Its commands find it by SLURM_CONF, which is in `environment`."""

    root: Path
    starts: int = 0  # of the controller

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "SLURM_CONF": str(self.root / "slurm.conf")}

    def call(self, *words: str) -> str:
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    def describe(self) -> str:
        """Return the queue, the nodes, and what the daemons said last."""
        told = [self.call("squeue"), self.call("sinfo", "--Node", "--long")]
        for path in sorted(self.root.glob("*.log")):
            told.append(f"{path.name}:\n" + "\n".join(path.read_text(errors="replace").splitlines()[-LINES:]))
        return "\n".join(told)

    def start_controller(self) -> None:
        """Start slurmctld; one that was killed forgot its last seconds, and would give their job ids out again.

        Nodes know these ids as running, refuse the new jobs and are drained: so each start has numbers of its own.
        """
        self.starts += 1
        config = self.root / "slurm.conf"
        config.write_text(FIRST_ID.sub(f"FirstJobId={self.starts * 10_000}", config.read_text()))
        subprocess.run(["slurmctld"], env=self.environment, check=True)

    def start_node(self, name: str) -> None:
        subprocess.run(["slurmd", "-N", name], env=self.environment, check=True)

    def pid(self, name: str) -> int:
        return int((self.root / f"{name}.pid").read_text())

    def is_running(self, name: str) -> bool:
        with suppress(OSError, ValueError):
            pid = self.pid(name)
            seen = see_process(pid)
            return seen is not None and seen.is_alive
        return False

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to slurmctld, or to slurmd.n1 ..."""
        os.kill(self.pid(name), number)

    def wait_idle(self, seconds: float = 60.0) -> None:
        """Wait until both nodes take jobs and none is left; a daemon that a test has ended is started again."""
        end = time.monotonic() + seconds
        for name in NODES:
            if not self.is_running(f"slurmd.{name}"):
                self.start_node(name)
        while time.monotonic() < end:
            with suppress(AssertionError):
                states = self.call("sinfo", "--noheader", "--Node", "--partition=low", "--format=%T").split()
                if states == ["idle", "idle"]:
                    return
                if "drain" in " ".join(states):  # after a step daemon was killed
                    self.call("scontrol", "update", f"nodename={','.join(NODES)}", "state=resume")
            time.sleep(0.2)
        raise AssertionError(f"the nodes are not idle: {self.call('sinfo', '--Node')}{self.call('squeue')}")

    def cancel_all(self) -> None:
        numbers = self.call("squeue", "--noheader", "--format=%A").split()
        if numbers:
            self.call("scancel", "--full", *numbers)
            self.call("scancel", *numbers)


def missing_programs() -> str:
    """Return why there can be no site here, "" where there can."""
    if os.geteuid() != 0:
        return "a Slurm of our own takes root: two node daemons that start jobs as their users"
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    return f"not installed: {', '.join(missing)} (apt-get install slurm-wlm munge)" if missing else ""


@contextmanager
def running_site(root: Path) -> Iterator[SlurmSite]:
    """Start a site under a folder, which must have a short path: its sockets are in it; stop all of it at the end."""
    site = SlurmSite(root)
    _lay_out(root)
    munge = root / "munge"
    subprocess.run(
        [
            "munged", "--force", f"--key-file={munge}/key", f"--socket={munge}/munge.socket", "--num-threads=2",
            f"--pid-file={munge}/munged.pid", f"--log-file={munge}/log", f"--seed-file={munge}/seed",
        ],
        check=True,
    )  # fmt: skip
    try:
        site.start_controller()
        for name in NODES:
            site.start_node(name)
        site.wait_idle()
        yield site
    finally:
        _stop(site)


def _lay_out(root: Path) -> None:
    for name in ("state", "munge", "dev", *(f"spool.{node}" for node in NODES)):
        (root / name).mkdir(parents=True)
    (root / "munge" / "key").write_bytes(secrets.token_bytes(128))
    (root / "munge" / "key").chmod(0o600)
    for number in range(4):
        os.mknod(root / "dev" / f"nvidia{number}", 0o20666, os.makedev(1, 5))
    ports = iter(_free_ports(1 + len(NODES)))
    host = socket.gethostname()
    controller = next(ports)
    nodes = "\n".join(NODE.format(name=name, host=host, port=next(ports)) for name in NODES)
    (root / "slurm.conf").write_text(CONFIG.format(host=host, port=controller, root=root, nodes=nodes))
    gres = [GRES.format(name=name, root=root, first=first, last=last) for name, (first, last) in NODES.items()]
    (root / "gres.conf").write_text("AutoDetect=off\n" + "\n".join(gres) + "\n")


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in sockets]
    for server in sockets:
        server.close()
    return ports


def _stop(site: SlurmSite) -> None:
    with suppress(AssertionError, subprocess.SubprocessError):
        site.cancel_all()
    time.sleep(1.0)
    for name in (*(f"slurmd.{node}" for node in NODES), "slurmctld", "munge/munged"):
        with suppress(OSError, ValueError):
            site.kill(name)
    # What a job left behind has the site's folder in its command line or environment: nothing else of ours has.
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"SLURM_CONF={site.root}/".encode() in (process / "environ").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)
