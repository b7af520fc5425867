"""derivations train: trains the tiny GPT where the optimum is known, and shows how far away it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from derivations.checker.errors import BadInput
from derivations.cli import screen

if TYPE_CHECKING:
    from derivations.algorithms.settings import Settings
    from toy_envs.token_mdp import TokenMDP


@click.command("train")
@click.argument("algorithm", metavar="{reinforce,cpi,trpo_penalty,trpo,ppo,dpo}")
@click.option("--env", required=True, metavar="NAME", help="The world, such as toy_envs/Sorting-v0.")
@click.option("--seed", default=0, show_default=True, help="Fixes everything that is drawn.")
@click.option("--updates", default=100, show_default=True, help="How many batches are drawn and learnt from.")
@click.option(
    "--kl",
    default="reward",
    show_default=True,
    metavar="reward|loss_k2|loss_k3|loss_exact",
    help="Where the penalty stands: k1 in the reward, or k2, k3 or the exact divergence in the loss.",
)
@click.option("--out", required=True, metavar="DIR", help="A new or empty folder for the run.")
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda", help="auto: CUDA when there.")
@click.pass_context
def command(
    ctx: click.Context, algorithm: str, env: str, seed: int, updates: int, kl: str, out: str, device: str
) -> None:
    """Train the tiny GPT by REINFORCE, CPI, TRPO, PPO or DPO, with the exact regret J(π*) − J(π) at each step.

    DIR gets run.json (what made it), metrics.jsonl (a line for each step) and model.safetensors. Exits with 1 if a
    number of the run is no longer finite; what was written until then is kept.
    """
    with needs_torch("train"):
        from derivations.algorithms import runs
        from derivations.algorithms.devices import pick_device
        from derivations.algorithms.settings import settings_for
        from derivations.algorithms.stage import Diverged
        from toy_envs import make_mdp
        from toy_envs.errors import BadInput as BadWorldInput
    try:
        settings, mdp = settings_for(algorithm, seed=seed, updates=updates, kl=kl), make_mdp(env)
        where, folder = pick_device(device), runs.new_folder(Path(out).expanduser())
        with _progress(settings) as watch:
            last = runs.train(mdp, settings, folder, where, watch)
    except BadWorldInput as error:
        raise BadInput(str(error)) from error
    except Diverged as error:
        click.echo(f"Error: {error}. The metrics until then are in {Path(out) / 'metrics.jsonl'}.", err=True)
        ctx.exit(screen.NOT_AS_STATED)
    click.echo(told(mdp, settings, last))
    click.echo(f"run.json, metrics.jsonl and model.safetensors are in {folder}")


def told(mdp: TokenMDP, settings: Settings, last: dict[str, float]) -> str:
    """The end of a run, in one line."""
    return (
        f"{settings.algorithm} on {mdp.name}, seed {settings.seed}, {last['update']} updates: "
        f"J(π) = {last['objective']:.4f}, J(π*) = {last['objective'] + last['regret']:.4f}; {_regret(last)} "
        f"of J(π*) − J(π_ref)"
    )


def _regret(metrics: dict[str, float]) -> str:
    return f"regret {metrics['regret']:.4f}, {metrics['regret_share']:.2%}"


@contextmanager
def needs_torch(name: str) -> Iterator[None]:
    """Around the imports of a command: what is not installed becomes a message that says how to install it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise BadInput(
            f"derivations {name} needs the package {error.name}, which is not installed here; "
            "install it with: pip install -e '.[train]'"
        ) from error


@contextmanager
def _progress(settings: Settings) -> Iterator[Callable[[dict[str, float]], None]]:
    """A bar on standard error with the regret in it; none where that is no terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = screen.console(stderr=True)
    columns = (
        TextColumn(settings.algorithm, markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}", markup=False),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=settings.updates)

        def watch(metrics: dict[str, float]) -> None:
            bar.update(task, completed=metrics["update"], description=_regret(metrics))

        yield watch
