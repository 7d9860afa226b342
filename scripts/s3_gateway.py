"""A real S3 server for tests and for docker-compose.yml: Ceph's object gateway on one machine, no root.

    python scripts/s3_gateway.py                 objects in memory; prints endpoint and keys; Ctrl-C ends it
    python scripts/s3_gateway.py --folder DATA   objects on disk, still there after the next start

S3_ACCESS_KEY and S3_SECRET_KEY, where they are set, are the first user's keys. It needs Debian's packages ceph-mon,
ceph-mgr, ceph-osd, radosgw and ceph-common. A monitor, a manager, one object daemon and the gateway run below one
folder, all but the gateway on loopback ports, and end with this process, however it ends.
"""

import argparse
import configparser
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

PROGRAMS = ("ceph-mon", "ceph-mgr", "ceph-osd", "radosgw", "radosgw-admin", "ceph", "monmaptool", "setpriv")
PATIENCE = 180
"""Seconds until a daemon must answer."""
GOODBYE = 10
"""Seconds that a daemon with data on disk has to end."""
UNREADY = "problem getting command descriptions"
"""What a monitor answers that is about to lead, but does not yet."""

SETTINGS = """
[global]
fsid = {fsid}
mon_host = {mon}
ms_bind_msgr2 = false
mon_initial_members = one
public_network = 127.0.0.0/8
cluster_network = 127.0.0.0/8
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
osd_crush_chooseleaf_type = 0
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pg_autoscale_mode = off
mon_allow_pool_size_one = true
mgr_initial_modules =
run_dir = {folder}
admin_socket = {folder}/$name.asok
log_file = {folder}/$name.log
mon_data = {folder}/mon
mgr_data = {folder}/mgr
osd_data = {folder}/osd
rgw_data = {folder}/rgw
{objects}
osd_class_dir = {classes}
rgw_frontends = beast endpoint={s3}
rgw_enable_usage_log = false
"""

IN_MEMORY = "osd_objectstore = memstore\nmemstore_device_bytes = 4294967296"
ON_DISK = "osd_objectstore = bluestore\nbluestore_block_size = {bytes}\nosd_memory_target = 939524096"


class Gateway:
    """The running server: where it listens, and the keys of its users."""

    def __init__(self, folder, host="127.0.0.1", port=None, gigabytes=0, keys=("tester", "tester-secret")):
        """Nothing starts before ``with``; everything lies below the folder, on disk where it has a size."""
        self.folder = Path(folder)
        self.host, self.port = host, port or _free_port()
        self.endpoint = f"http://{host}:{self.port}"
        self.gigabytes = gigabytes
        self.keys = {}
        self._first = keys
        self._daemons = []

    @staticmethod
    def missing():
        """The programs that this machine lacks."""
        return [name for name in PROGRAMS if shutil.which(name) is None]

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for daemon in reversed(self._daemons):
            if self.gigabytes:
                daemon.terminate()  # what is in memory is not worth a slow goodbye
            with contextlib.suppress(subprocess.TimeoutExpired):
                daemon.wait(GOODBYE if self.gigabytes else 0)
            daemon.kill()
            daemon.wait()
        self._daemons.clear()

    def user(self, name, secret=None):
        """A user with keys of its own; its name is its access key."""
        self.keys[name] = secret or f"{name}-secret"
        said = [f"--uid={name}", f"--display-name={name}", f"--access-key={name}", f"--secret-key={self.keys[name]}"]
        known = name in json.loads(self._ask("radosgw-admin", "user", "list"))
        self._ask("radosgw-admin", "user", "modify" if known else "create", *said)

    def _start(self):
        made = self._configure()
        if not made:
            self._ask("ceph-mon", "--mkfs", "-i", "one", "--monmap", str(self.folder / "monmap"))
        self._run("ceph-mon", "-i", "one")
        self._ask("ceph", "--connect-timeout", str(PATIENCE), "status")
        self._run("ceph-mgr", "-i", "one")
        if not made:
            identity = str(uuid.uuid4())
            self._ask("ceph", "osd", "new", identity)
            self._ask("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", identity)
            self._ask("ceph", "osd", "crush", "add", "osd.0", "1.0", "root=default")
            (self.folder / "made").touch()
        self._start_osd()
        self.user(*self._first)  # makes the pools, which the gateway would like to make at the same time
        self._run("radosgw", "-n", "client.rgw.one")
        self._until_it_answers()

    def _configure(self):
        """Writes the settings; whether there is a server in the folder already, which keeps its identity."""
        conf, made = self.folder / "ceph.conf", (self.folder / "made").exists()
        fsid, mon = str(uuid.uuid4()), f"[v1:127.0.0.1:{_free_port()}/0]"
        if made:
            known = configparser.ConfigParser(interpolation=None)
            known.read(conf)
            fsid, mon = known["global"]["fsid"], known["global"]["mon_host"]
        for name in ("mon", "mgr", "osd", "rgw"):
            if not made:
                shutil.rmtree(self.folder / name, ignore_errors=True)  # of a start that was ended half-way
            (self.folder / name).mkdir(parents=True, exist_ok=made)
        classes = next(iter(Path("/usr/lib").glob("**/rados-classes")), "/usr/lib/rados-classes")
        objects = ON_DISK.format(bytes=self.gigabytes << 30) if self.gigabytes else IN_MEMORY
        known = {"fsid": fsid, "mon": mon, "objects": objects, "s3": f"{self.host}:{self.port}"}
        conf.write_text(SETTINGS.format(**known, folder=self.folder, classes=classes))
        if not made:
            chart = str(self.folder / "monmap")
            self._ask("monmaptool", "--create", "--clobber", "--fsid", fsid, "--addv", "one", mon, chart)
        return made

    def _start_osd(self):
        """Starts the object daemon until it is up; now and then it dies as it starts, and nobody else would tell."""
        deadline, osd = time.monotonic() + PATIENCE, self._run("ceph-osd", "-i", "0")
        while time.monotonic() < deadline:
            if osd.poll() is not None:
                self._daemons.remove(osd)
                osd = self._run("ceph-osd", "-i", "0")
            if json.loads(self._ask("ceph", "osd", "stat", "--format", "json"))["num_up_osds"]:
                return
            time.sleep(0.2)
        raise RuntimeError(f"ceph-osd is not up after {PATIENCE} s; see the logs in {self.folder}")

    def _command(self, program, *words):
        return [program, "--conf", str(self.folder / "ceph.conf"), *words]

    def _run(self, program, *words):
        """Starts a daemon that dies with us, even when we are killed."""
        with (self.folder / f"{program}.out").open("wb") as said:
            command = ["setpriv", "--pdeathsig", "KILL", *self._command(program, "-f", *words)]
            daemon = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        self._daemons.append(daemon)
        return daemon

    def _ask(self, program, *words):
        for pause in (1, 2, 4, None):
            done = subprocess.run(
                self._command(program, *words), capture_output=True, text=True, timeout=PATIENCE, check=False
            )
            if not done.returncode or pause is None or UNREADY not in done.stderr:
                break
            time.sleep(pause)
        if done.returncode:
            raise RuntimeError(f"{program} {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def _until_it_answers(self):
        deadline = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(urllib.error.URLError, ConnectionError), urllib.request.urlopen(self.endpoint):
                return
            ended = [daemon.args for daemon in self._daemons if daemon.poll() is not None]
            if ended or time.monotonic() > deadline:
                raise RuntimeError(f"no S3 at {self.endpoint}; see the logs in {self.folder}; ended: {ended}")
            time.sleep(0.1)


def _free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def main():
    """Runs the gateway until a signal comes."""
    if Gateway.missing():
        sys.exit("not installed: " + ", ".join(Gateway.missing()))
    parser = argparse.ArgumentParser(description="A real S3 server on this machine: Ceph's object gateway.")
    parser.add_argument("--folder", help="where the objects lie; left out, they are in memory")
    parser.add_argument("--gigabytes", type=int, default=20, help="how much the folder may hold")
    parser.add_argument("--host", default="127.0.0.1", help="the address that it listens on")
    parser.add_argument("--port", type=int, help="left out, a free one")
    asked = parser.parse_args()
    known = os.environ.get("S3_ACCESS_KEY", "tester"), os.environ.get("S3_SECRET_KEY", "tester-secret")
    for one in (signal.SIGTERM, signal.SIGINT):  # a shell lets what runs in its background ignore Ctrl-C
        signal.signal(one, lambda *_: sys.exit(0))
    with contextlib.ExitStack() as stack:
        folder = asked.folder or stack.enter_context(tempfile.TemporaryDirectory(prefix="s3-gateway-"))
        size = asked.gigabytes if asked.folder else 0
        gateway = stack.enter_context(Gateway(folder, asked.host, asked.port, size, known))
        key, secret = next(iter(gateway.keys.items()))
        print(
            json.dumps({"aws_endpoint": gateway.endpoint, "aws_access_key_id": key, "aws_secret_access_key": secret}),
            flush=True,
        )
        signal.pause()


if __name__ == "__main__":
    main()
