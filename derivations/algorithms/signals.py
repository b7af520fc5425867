"""A signal to stop waits until a good moment."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

TO_STOP = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def put_off() -> Iterator[list[signal.Signals]]:
    """Within it the first signal to stop is only put into the list given; a second one does what it always did.

    A signal that was ignored stays so. Outside the main thread, where Python hands out no signals, the list stays empty.
    """
    caught: list[signal.Signals] = []
    if threading.current_thread() is not threading.main_thread():
        yield caught
        return
    before = {number: signal.getsignal(number) for number in TO_STOP}
    ours = {number: found for number, found in before.items() if found not in (None, signal.SIG_IGN)}

    def as_before() -> None:
        for number, found in ours.items():
            signal.signal(number, found)

    def note(number: int, frame: FrameType | None) -> None:
        caught.append(signal.Signals(number))
        as_before()

    for number in ours:
        signal.signal(number, note)
    try:
        yield caught
    finally:
        as_before()
