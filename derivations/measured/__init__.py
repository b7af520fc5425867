"""What runs decide and no proof can: an experiment for each measured entry, and what it showed.

One module each: what is measured from one seed, and the conditions under which the entry is shown, written down before the
seeds that decide it were run. `rule` are the conditions, `experiment` an experiment, `measuring` runs one, `kept` is what
is kept of it, which `derivations verify` reads: it needs neither torch nor scipy.
"""

from __future__ import annotations

EXPERIMENTS = {
    "IS.10.measured": "collapse",
    "TP.10.measured": "conjugate_gradient",
    "KL.13": "anchor",
    "KL.14": "gaming",
    "OP.15.measured": "approach",
}
"""The module of each measured entry."""
