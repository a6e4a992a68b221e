"""A cluster for as long as a FastAPI application runs: its lifespan, a dependency and a router.

    app = FastAPI(lifespan=cluster_lifespan(lambda: swim.Config.local(seeds=["127.0.0.1:7946"])))
    app.include_router(cluster_router())

    @app.get("/peers")
    async def peers(cluster: Annotated[Cluster, Depends(get_cluster)]) -> list[str]:
        return [member.name for member in cluster.alive()]

Every worker process is a member of its own. When the server stops a worker by a signal, the member leaves.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Response
from starlette.requests import HTTPConnection

from agent_api.shapes import dumps, member_shape
from swim import checks
from swim.asyncio import Cluster, open_cluster
from swim.config import Config
from swim.errors import ConfigError, ConfigTypeError, LocalError

__all__ = ["cluster_lifespan", "cluster_router", "get_cluster"]

_STATE = "swim_cluster"


def cluster_lifespan(
    config: Config | Callable[[], Config],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    snapshot_file: str | os.PathLike[str] | None = None,
    tags_file: str | os.PathLike[str] | None = None,
    keyring_file: str | os.PathLike[str] | None = None,
    leave_timeout: float = 5.0,
    isolation: Literal["thread", "process"] = "thread",
) -> Callable[[Any], AbstractAsyncContextManager[dict[str, Cluster]]]:
    """A lifespan in which each worker process is a member: ``FastAPI(lifespan=cluster_lifespan(...))``.

    To add it to a lifespan of your own, enter it there and yield what it gives, with your own state:
    ``async with cluster_lifespan(config)(app) as state: yield {**state, "database": database}``.

    Args:
        config: the settings, or a function that makes them when a worker starts: two workers need two names.
        data_dir: as for ``swim.asyncio.open_cluster``, as are the arguments below.
        leave_timeout: seconds a graceful leave may take; 0 skips it.
        isolation: ``"thread"`` or ``"process"``.

    Raises:
        ConfigTypeError: ``config`` is neither. What is wrong with the others is raised when a worker starts.
    """
    if not isinstance(config, Config) and not callable(config):
        raise ConfigTypeError("config", f"must be a swim.Config or make one, not {type(config).__name__}")

    @asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[dict[str, Cluster]]:
        made = config if isinstance(config, Config) else config()
        async with open_cluster(
            made,
            data_dir=data_dir,
            snapshot_file=snapshot_file,
            tags_file=tags_file,
            keyring_file=keyring_file,
            leave_timeout=leave_timeout,
            isolation=isolation,
        ) as cluster:
            yield {_STATE: cluster}

    return lifespan


def get_cluster(connection: HTTPConnection) -> Cluster:
    """The cluster of this worker, as a dependency of requests and websockets: ``Depends(get_cluster)``.

    Raises:
        LocalError: the application does not run in a ``cluster_lifespan``.
    """
    cluster = getattr(connection.state, _STATE, None)
    if not isinstance(cluster, Cluster):
        raise LocalError("this application has no cluster: FastAPI(lifespan=cluster_lifespan(config))")
    return cluster


_ThisCluster = Annotated[Cluster, Depends(get_cluster)]


def cluster_router(*, prefix: str = "/cluster") -> APIRouter:
    """What this worker sees, as JSON: ``/members``, ``/health`` (503 if it has left) and ``/metrics``.

    Its answers name all members: restrict who may ask, for example by ``include_router(dependencies=)``.

    Args:
        prefix: of the three paths: empty, or begins with a slash and ends without one.

    Raises:
        ConfigError: naming ``prefix``.
    """
    if checks.text("prefix", prefix) and (prefix[0] != "/" or prefix[-1] == "/"):
        raise ConfigError("prefix", f"must begin with '/' and not end with it, not {prefix!r}")
    router = APIRouter(prefix=prefix, tags=["cluster"])

    @router.get("/members")
    async def members(cluster: _ThisCluster) -> Response:
        return _json({"members": [member_shape(member) for member in cluster.members()]})

    @router.get("/health")
    async def health(cluster: _ThisCluster) -> Response:
        is_ok = cluster.status == "running"
        document = {
            "ok": is_ok,
            "name": cluster.config.name,
            "status": cluster.status,
            "alive": len(cluster.alive()),
            "health_score": cluster.stats().health_score,
        }
        return _json(document, status=200 if is_ok else 503)

    @router.get("/metrics")
    async def metrics(cluster: _ThisCluster) -> Response:
        counters, gauges = dict(cluster.metrics.counters), dict(cluster.metrics.gauges)
        return _json({"counters": counters, "gauges": gauges, "stats": cluster.stats()._asdict()})

    return router


def _json(document: object, *, status: int = 200) -> Response:
    return Response(dumps(document), status_code=status, media_type="application/json")
