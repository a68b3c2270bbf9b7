"""A fleet over several processes: the same terminals, the same days, more processors.

Terminals are dealt out one after the other; what each does depends on the seed and its own number
only, so the number of workers changes nothing but the rate. Workers are spawned, never forked: a
program that has a journal open must not be copied.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing.queues import Queue
from queue import Empty
from typing import Any

from posengine.errors import PosError
from posengine.simulate.fleet import Fleet, Plan, beliefs
from posengine.simulate.product import load_dialect
from posengine.simulate.report import Report
from posengine.simulate.terminal import Identity

TELL_S = 0.25
Beliefs = dict[str, list[Mapping[str, object]]]


@dataclass(frozen=True, slots=True)
class _Word:
    """What a worker tells: how far it is, and at the end what its terminals believe."""

    worker: int
    report: Report
    beliefs: Beliefs | None = None
    fault: str = ""


class WorkerFault(PosError):
    """A worker process failed."""


def run_fleet(
    plan: Plan,
    identities: Sequence[Identity],
    *,
    dialect: str,
    workers: int = 1,
    clock: Callable[[], float],
    progress: Callable[[Report], None] | None = None,
) -> tuple[Report, Beliefs]:
    """Runs the plan to its end. With several workers ``clock`` goes to each by its name, so it is
    a function of a module. Raises: Address, WorkerFault."""
    if workers == 1:
        fleet = Fleet(
            plan, identities, dialect=load_dialect(dialect), clock=clock, progress=progress
        )
        return fleet.run(), beliefs(fleet.terminals)
    context = multiprocessing.get_context("spawn")
    words: Queue[_Word] = context.Queue()
    processes = []
    for worker in range(workers):
        share = _share(plan, len(identities), workers, worker)
        some = identities[worker::workers]
        process = context.Process(
            target=_work, args=(worker, share, some, dialect, clock, words), daemon=True
        )
        process.start()
        processes.append(process)
    try:
        return _gather(words, processes, workers, progress)
    finally:
        for process in processes:
            process.join(5)
            if process.is_alive():
                process.kill()


def _share(plan: Plan, terminals: int, workers: int, worker: int) -> Plan:
    """Its terminals' part of the transactions and of the rate."""
    each, rest = divmod(plan.transactions, terminals)
    some = range(worker, terminals, workers)
    count = sum(each + (index < rest) for index in some)
    return replace(plan, transactions=count, rate=plan.rate * len(some) / terminals)


def _gather(
    words: Queue[_Word],
    processes: Sequence[Any],
    workers: int,
    progress: Callable[[Report], None] | None,
) -> tuple[Report, Beliefs]:
    reports: dict[int, Report] = {}
    believed: Beliefs = {}
    done: set[int] = set()
    while len(done) < workers:
        try:
            word = words.get(timeout=1.0)
        except Empty:
            dead = [index for index, each in enumerate(processes) if not each.is_alive()]
            if set(dead) - done and words.empty():
                raise WorkerFault("a worker of the fleet ended without a word") from None
            continue
        if word.fault:
            raise WorkerFault(word.fault)
        reports[word.worker] = word.report
        if word.beliefs is not None:
            believed.update(word.beliefs)
            done.add(word.worker)
        if progress is not None:
            progress(_sum(reports))
    return _sum(reports), dict(sorted(believed.items()))


def _sum(reports: Mapping[int, Report]) -> Report:
    total = Report()
    total.merge(reports[worker] for worker in sorted(reports))
    return total


def _work(
    worker: int,
    plan: Plan,
    identities: Sequence[Identity],
    dialect: str,
    clock: Callable[[], float],
    words: Queue[_Word],
) -> None:
    told_at = 0.0

    def tell(report: Report) -> None:
        nonlocal told_at
        now = clock()
        if now - told_at >= TELL_S:
            told_at = now
            words.put(_Word(worker, report))

    try:
        fleet = Fleet(plan, identities, dialect=load_dialect(dialect), clock=clock, progress=tell)
        report = fleet.run()
        words.put(_Word(worker, report, beliefs(fleet.terminals)))
    except PosError as error:
        words.put(_Word(worker, Report(), fault=str(error)))
