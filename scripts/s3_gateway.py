"""A real S3 server on this machine for tests: Ceph's object gateway, its objects in memory, no root, no containers.

    python scripts/s3_gateway.py            prints endpoint and keys; Ctrl-C ends it

It needs Debian's packages ceph-mon, ceph-mgr, ceph-osd, radosgw and ceph-common. A monitor, a manager, one object
daemon and the gateway run on loopback ports of their own, all below one temporary folder, and end with this process,
however it ends.
"""

import contextlib
import json
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
UNREADY = "problem getting command descriptions"
"""What a monitor answers that is about to lead, but does not yet."""

SETTINGS = """
[global]
fsid = {fsid}
mon_host = [v1:127.0.0.1:{mon}/0]
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
osd_objectstore = memstore
memstore_device_bytes = 4294967296
osd_class_dir = {classes}
rgw_frontends = beast endpoint=127.0.0.1:{s3}
rgw_enable_usage_log = false
"""


class Gateway:
    """The running server: where it listens, and the keys of its users."""

    def __init__(self, folder):
        """Nothing starts before ``with``; everything lies below the folder."""
        self.folder = Path(folder)
        self.port = _free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.keys = {}
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
        for daemon in self._daemons:
            daemon.kill()  # nothing of theirs is worth a slow goodbye
            daemon.wait()
        self._daemons.clear()

    def user(self, name):
        """A user with keys of its own; its name is its access key."""
        self.keys[name] = f"{name}-secret"
        self._ask(
            *("radosgw-admin", "user", "create", f"--uid={name}", f"--display-name={name}"),
            *(f"--access-key={name}", f"--secret-key={self.keys[name]}"),
        )

    def _start(self):
        fsid, mon = str(uuid.uuid4()), _free_port()
        for name in ("mon", "mgr", "osd", "rgw"):
            (self.folder / name).mkdir(parents=True)
        classes = next(iter(Path("/usr/lib").glob("**/rados-classes")), "/usr/lib/rados-classes")
        text = SETTINGS.format(fsid=fsid, mon=mon, s3=self.port, folder=self.folder, classes=classes)
        (self.folder / "ceph.conf").write_text(text)

        chart = str(self.folder / "monmap")
        self._ask("monmaptool", "--create", "--fsid", fsid, "--addv", "one", f"[v1:127.0.0.1:{mon}/0]", chart)
        self._ask("ceph-mon", "--mkfs", "-i", "one", "--monmap", chart)
        self._run("ceph-mon", "-i", "one")
        self._ask("ceph", "--connect-timeout", str(PATIENCE), "status")
        self._run("ceph-mgr", "-i", "one")
        identity = str(uuid.uuid4())
        self._ask("ceph", "osd", "new", identity)
        self._ask("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", identity)
        self._ask("ceph", "osd", "crush", "add", "osd.0", "1.0", "root=default")
        self._start_osd()
        self.user("tester")  # makes the pools, which the gateway would like to make at the same time
        self._run("radosgw", "-n", "client.rgw.one")
        self._until_it_answers()

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
    for one in (signal.SIGTERM, signal.SIGINT):  # a shell lets what runs in its background ignore Ctrl-C
        signal.signal(one, lambda *_: sys.exit(0))
    with tempfile.TemporaryDirectory(prefix="s3-gateway-") as folder, Gateway(folder) as gateway:
        key, secret = next(iter(gateway.keys.items()))
        print(
            json.dumps({"aws_endpoint": gateway.endpoint, "aws_access_key_id": key, "aws_secret_access_key": secret}),
            flush=True,
        )
        signal.pause()


if __name__ == "__main__":
    main()
