"""What every command shares: where it prints, how it ends, and the claims."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from derivations.ledger import Ledger

WIDTH = 120  # where the output is no terminal

# Exit statuses; 0 is success.
NOT_AS_STATED, WRONG_USAGE, DISAGREEMENT, INTERRUPTED = 1, 2, 3, 130


def console(*, stderr: bool = False) -> Console:
    """Standard output or standard error. Into a file or a pipe: a fixed width, and no colour whatever is in force.

    Formulas are printed as they are: [x ≠ 0] is no markup, and :x: no picture.
    """
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    plain = {"markup": False, "emoji": False, "highlight": False}
    if stream.isatty():
        return Console(file=stream, **plain)  # type: ignore[arg-type]
    return Console(file=stream, width=WIDTH, force_terminal=False, color_system=None, **plain)  # type: ignore[arg-type]


def all_claims(*, fresh: bool = False) -> Ledger:
    """The ledger of all claims, with the results that are kept; `fresh` ignores these, and keeps new ones."""
    import z3

    from derivations.kept import Store
    from derivations.ledger import Ledger

    # Z3 takes Ctrl-C for itself, answers “unknown” and lets the run go on. With this, Python sees it.
    z3.set_param("ctrl_c", False)
    ledger = Ledger(store=Store(fresh=fresh))
    # The claims stay for as long as the command: looking for garbage among them again and again takes its time.
    gc.freeze()
    return ledger
