"""Serf's IPC: the ``serf`` command and Serf's client libraries control a cluster of ours.

async with swim.open_cluster(config) as cluster, trio.open_nursery() as nursery:
    await nursery.start(swim.ipc.serve, cluster, swim.ipc.IpcSettings(rpc="127.0.0.1:7373"))
"""

from swim.ipc.serving import listen as listen
from swim.ipc.serving import serve as serve
from swim.ipc.settings import IpcSettings as IpcSettings

__all__ = ["IpcSettings", "listen", "serve"]
