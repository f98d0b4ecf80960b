"""A worker for BuildGrid, which ships none: takes one action at a time, runs it in an empty folder, and gives back its files.

usage: bot.py HOST:PORT INSTANCE NAME

Runs with the Python of BuildGrid, whose messages it takes. For tests: it trusts its server and has no sandbox.
"""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from hashlib import sha256

import grpc
from buildgrid._protos.build.bazel.remote.execution.v2 import remote_execution_pb2 as re
from buildgrid._protos.build.bazel.remote.execution.v2 import remote_execution_pb2_grpc
from buildgrid._protos.google.bytestream import bytestream_pb2, bytestream_pb2_grpc
from buildgrid._protos.google.devtools.remoteworkers.v1test2 import bots_pb2, bots_pb2_grpc, worker_pb2

PIECE = 1 << 20
# How long an idle bot waits for work before it says that it is still there; less than the server's patience.
HEARTBEAT = 8


class Files:
    """What the server stores."""

    def __init__(self, channel, instance):
        self.stream = bytestream_pb2_grpc.ByteStreamStub(channel)
        self.cas = remote_execution_pb2_grpc.ContentAddressableStorageStub(channel)
        self.instance = instance

    def get(self, digest):
        if digest.size_bytes == 0:
            return b""
        name = f"{self.instance}/blobs/{digest.hash}/{digest.size_bytes}"
        return b"".join(piece.data for piece in self.stream.Read(bytestream_pb2.ReadRequest(resource_name=name)))

    def message(self, kind, digest):
        return kind.FromString(self.get(digest))

    def put(self, data):
        digest = re.Digest(hash=sha256(data).hexdigest(), size_bytes=len(data))
        name = f"{self.instance}/uploads/{os.urandom(8).hex()}/blobs/{digest.hash}/{len(data)}"

        def pieces():
            for at in range(0, max(len(data), 1), PIECE):
                piece = data[at : at + PIECE]
                yield bytestream_pb2.WriteRequest(
                    resource_name=name, write_offset=at, finish_write=at + len(piece) == len(data), data=piece
                )

        self.stream.Write(pieces())
        return digest

    def lay_out(self, digest, folder):
        """Makes the tree of a `Directory`."""
        directory = self.message(re.Directory, digest)
        for file in directory.files:
            path = os.path.join(folder, file.name)
            with open(path, "wb") as out:
                out.write(self.get(file.digest))
            os.chmod(path, 0o755 if file.is_executable else 0o644)
        for inner in directory.directories:
            path = os.path.join(folder, inner.name)
            os.mkdir(path)
            self.lay_out(inner.digest, path)


class Run:
    """An action that runs."""

    def __init__(self, files, lease):
        action = re.Action()
        if not lease.payload.Unpack(action):
            raise SystemExit(f"a lease of another kind: {lease.payload.type_url}")
        self.files = files
        self.command = files.message(re.Command, action.command_digest)
        self.folder = tempfile.mkdtemp(prefix="bot-")
        files.lay_out(action.input_root_digest, self.folder)
        for path in self.outputs():
            os.makedirs(os.path.dirname(os.path.join(self.folder, path)), exist_ok=True)
        self.said = [tempfile.TemporaryFile(), tempfile.TemporaryFile()]
        self.end = time.monotonic() + (action.timeout.seconds or 3600)
        self.process = subprocess.Popen(
            list(self.command.arguments),
            cwd=self.folder,
            env={},
            stdout=self.said[0],
            stderr=self.said[1],
            start_new_session=True,
        )

    def outputs(self):
        return list(self.command.output_paths) or list(self.command.output_files)

    def result(self):
        """Its `ActionResult` and whether it was in time, once it is over."""
        in_time = time.monotonic() < self.end
        if not in_time:
            self.stop()
        if self.process.poll() is None:
            return None
        result = re.ActionResult(exit_code=self.process.returncode % 256)
        for path in self.outputs():
            whole = os.path.join(self.folder, path)
            if os.path.isfile(whole):
                with open(whole, "rb") as file:
                    result.output_files.add(path=path, digest=self.files.put(file.read()))
        for said, digest in zip(self.said, (result.stdout_digest, result.stderr_digest)):
            said.seek(0)
            digest.CopyFrom(self.files.put(said.read()))
        shutil.rmtree(self.folder)
        return result, in_time

    def stop(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def main():
    address, instance, name = sys.argv[1:]
    limits = [("grpc.max_receive_message_length", -1)]
    channel = grpc.insecure_channel(address, options=limits)
    grpc.channel_ready_future(channel).result(timeout=600)
    files, bots = Files(channel, instance), bots_pb2_grpc.BotsStub(channel)
    device = worker_pb2.Device(handle=name, properties=[worker_pb2.Device.Property(key="OSFamily", value="Linux")])
    session = bots_pb2.BotSession(bot_id=name, status=bots_pb2.OK, worker=worker_pb2.Worker(devices=[device]))
    session = bots.CreateBotSession(
        bots_pb2.CreateBotSessionRequest(parent=instance, bot_session=session), timeout=HEARTBEAT
    )
    print(f"{name} is there", flush=True)
    running = {}
    while True:
        for lease in session.leases:
            if lease.state == bots_pb2.PENDING:
                lease.state = bots_pb2.ACTIVE
            if lease.state == bots_pb2.CANCELLED:
                run = running.pop(lease.id, None)
                if run:
                    run.stop()
                    shutil.rmtree(run.folder, ignore_errors=True)
            elif lease.state == bots_pb2.ACTIVE:
                try:
                    if lease.id not in running:
                        running[lease.id] = Run(files, lease)
                    over = running[lease.id].result()
                except grpc.RpcError as error:
                    # An input is gone: FAILED_PRECONDITION, as the protocol says.
                    lease.state, lease.status.code, lease.status.message = bots_pb2.COMPLETED, 9, error.details()
                    running.pop(lease.id, None)
                    continue
                if over:
                    result, in_time = over
                    lease.state, lease.status.code = bots_pb2.COMPLETED, 0 if in_time else 4
                    result.execution_metadata.worker = name
                    lease.result.Pack(result)
                    del running[lease.id]
        request = bots_pb2.UpdateBotSessionRequest(name=session.name, bot_session=session)
        session = bots.UpdateBotSession(request, timeout=HEARTBEAT)
        if session.leases:
            time.sleep(0.05)


main()
