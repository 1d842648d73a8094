"""The course of one area: its nodes are deployed, they import and agree, and then take every step of the scenario.

The subclasses of `AreaRun` do the same with nodes in this process (`in_process`) and in processes of their own (`subprocesses`).
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

from blindmatch.node.evaluation.stage_timer import StageTimer
from blindmatch.simulations.drivers.deploy import InputList
from blindmatch.simulations.drivers.node_driver import NodeDriver
from blindmatch.simulations.drivers.results import (
    AreaResults,
    CheckResult,
    EdgeResult,
    RecordCheck,
    ThresholdResult,
)
from blindmatch.simulations.drivers.setup import AreaSetup
from blindmatch.simulations.drivers.single_checks import choose_checks
from blindmatch.simulations.scenario.plan import ExchangePlan


class AreaRun(ABC):
    """An area's nodes, from empty folders to the results of the last step."""

    def __init__(self, setup: AreaSetup) -> None:
        self._setup = setup
        self._area_data = setup.area_data
        """The lists as they are at the present step."""

    async def run(self) -> AreaResults:
        """Deploy, import, agree, compare; the nodes' folders remain afterwards.

        Raises:
            BlindmatchError: a step failed.
        """
        setup, timer = self._setup, StageTimer()
        edges, thresholds, checks = list[EdgeResult](), list[ThresholdResult](), list[CheckResult]()
        async with AsyncExitStack() as stack:
            with timer.stage("set up"):
                await self._deploy(stack)
            with timer.stage("serve"):
                await self._serve(stack)
            with timer.stage("agree"):
                agreed = {plan.exchange.id: await self._agree(plan) for plan in setup.plans}
            for turn, (step, plan) in enumerate(setup.steps):
                if plan is None:
                    with timer.stage("change"):
                        self._area_data, changed = setup.change(self._area_data, step)
                        await self._change(step.agency, changed, agreed)
                    continue
                agreement = agreed[plan.exchange.id]
                if step.do == "check":
                    with timer.stage("check"):
                        for check in choose_checks(self._area_data, plan, step, setup.register):
                            checks.append(await self._check_record(agreement, check))
                elif step.do == "fetch":
                    with timer.stage("compare"):
                        await self._fetch(step.agency, agreement)
                else:
                    with timer.stage("compare"):
                        driver = await self._compare(step.agency, agreement, turn)
                    # Now, while the keys are still compiled and before a list changes.
                    with timer.stage("examine"):
                        received, collected = await asyncio.to_thread(driver.results, plan, step.agency)
                    edges += received
                    thresholds += collected
        return AreaResults(agreed, tuple(edges), tuple(thresholds), tuple(checks), timer.seconds)

    async def _check_record(self, agreement: str, check: RecordCheck) -> CheckResult:
        answer = await self._check(agreement, check)
        if not check.submits:
            return CheckResult(check, ("",) * len(answer["leads"]))
        received = await self._received(check.edge.receiver.agency, agreement)
        own = [each for each in received["submitted"] if each["check"] in answer["submitted"]]
        names = dict.fromkeys(lead["reference"] for each in own for lead in each["leads"])
        return CheckResult(check, tuple(names))

    @abstractmethod
    async def _deploy(self, stack: AsyncExitStack) -> None:
        """Create every node with its certificate, and import its lists; `stack` releases what must be released."""

    @abstractmethod
    async def _serve(self, stack: AsyncExitStack) -> None:
        """Start every node's server."""

    @abstractmethod
    async def _agree(self, plan: ExchangePlan) -> str:
        """The first party drafts and proposes; every party binds its lists and signs. Returns the agreement's id."""

    @abstractmethod
    async def _change(self, agency: str, changed: InputList, agreed: Mapping[str, str]) -> None:
        """Delete an agency's list and import the changed one under the same name; agreement ids are by exchange."""

    @abstractmethod
    async def _fetch(self, agency: str, agreement: str) -> None:
        """Fetch the numbers that others report to an agency."""

    @abstractmethod
    async def _compare(self, agency: str, agreement: str, turn: int) -> NodeDriver:
        """One round, run by one agency: every edge that it receives, and every threshold that it collects."""

    @abstractmethod
    async def _check(self, agreement: str, check: RecordCheck) -> Mapping[str, Any]:
        """Check one record; returns the data of the operation `check`."""

    @abstractmethod
    async def _received(self, agency: str, agreement: str) -> Mapping[str, Any]:
        """The data of the operation `received`, once every record that was submitted to the agency has been looked up."""
