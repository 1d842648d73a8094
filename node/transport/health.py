"""The health service: SERVING only while the store can be read, the keys work and the certificate is valid.

Every request runs the checks again; watchers are notified when the periodic check changes its result.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from grpc_health.v1 import health as grpc_health
from grpc_health.v1 import health_pb2, health_pb2_grpc

from blindmatch.node.storage.logs import logger
from blindmatch.node.transport.metrics import Metrics
from blindmatch.node.transport.policy import POLICY
from blindmatch.protocol.errors import BlindmatchError

SERVICES = ("", *sorted({method.split("/")[1] for method in POLICY if method.startswith("/blindmatch.")}))
"""Names that may be asked for: the whole node, and each of its own services."""

PERIOD_SECONDS = 15.0


class HealthService(health_pb2_grpc.HealthServicer):  # type: ignore[misc] # its package has no types
    """The standard health service over the node's own check (servicer of `grpc.health.v1.Health`)."""

    def __init__(self, check: Callable[[], None], metrics: Metrics, agency: str) -> None:
        self._check = check
        self._metrics = metrics
        self._answers: Any = vars(grpc_health)["aio"].HealthServicer()
        self._log = logger(agency=agency)
        self._last = ""
        self._stopping = False

    async def refresh(self) -> bool:
        """Run the checks now. True when the node can serve."""
        reason = ""
        try:
            await asyncio.to_thread(self._check)
        except BlindmatchError as error:
            reason = error.message
        except Exception as error:  # noqa: BLE001 - a check that breaks is an answer, not a crash
            reason = type(error).__name__
        healthy = not reason and not self._stopping
        status = (
            health_pb2.HealthCheckResponse.SERVING if healthy else health_pb2.HealthCheckResponse.NOT_SERVING
        )
        for service in SERVICES:
            await self._answers.set(service, status)
        self._metrics.healthy.set(int(healthy))
        if reason != self._last:
            if reason:
                self._log.error("this node cannot serve", reason=reason)
            else:
                self._log.info("this node can serve again")
            self._last = reason
        return healthy

    async def watch(self, period: float = PERIOD_SECONDS) -> None:
        """Run the checks periodically until cancelled."""
        while True:
            await asyncio.sleep(period)
            await self.refresh()

    async def stop(self) -> None:
        """From now on NOT_SERVING: the server is going down."""
        self._stopping = True
        self._metrics.healthy.set(0)
        await self._answers.enter_graceful_shutdown()

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        """Answer one request with a fresh check."""
        await self.refresh()
        return await self._answers.Check(request, context)

    async def Watch(self, request: Any, context: Any) -> None:  # noqa: N802
        """The state now and every change."""
        await self.refresh()
        await self._answers.Watch(request, context)
